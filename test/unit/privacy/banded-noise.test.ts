import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MechanismEvent } from '../../../shared/privacy/accounting/event.ts';
import { interpreted } from '../../../shared/privacy/accounting/interpret.ts';
import { type BandedMatrix, squareRootMatrix } from '../../../shared/privacy/banded-matrix.ts';
import {
  advance,
  type BandedNoise,
  bandedNoiseVector,
  newBandedNoise,
} from '../../../shared/privacy/banded-noise.ts';
import { decodeState, encodeState } from '../../../shared/privacy/banded-state.ts';
import { gridStep, sensitivitySlack, toGrid } from '../../../shared/privacy/grid.ts';
import { drawNoise, release } from '../../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../../shared/privacy/update.ts';
import { Protection, plannedEvent } from '../../../shared/protocol/plan.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, secureRng, seededRng } from '../../../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../../../shared/units.ts';
import { smallMatrices } from './banded-samples.ts';

const rng = (seed = 5): Rng => seededRng(Seed.parse(seed));
const options = (z: number, c: number): Parameters<typeof bandedNoiseVector>[1] => ({
  noiseMultiplier: NoiseMultiplier.parse(z),
  clipNorm: ClipNorm.parse(c),
});
const root = squareRootMatrix({ rounds: 12, minSeparation: 4 });
const noiseMultiplier = NoiseMultiplier.parse(3);

/** What the release after this state costs, as a plan with this noise multiplier has it. */
function eventAfter({ matrix, nextRow }: BandedNoise, z: number): MechanismEvent {
  const protection = Protection.parse({
    type: 'user-dp-banded',
    mode: 'local',
    clipNorm: 1,
    noiseMultiplier: z,
    matrix,
    delta: 1e-6,
  });
  return plannedEvent(protection, nextRow === 0);
}

/** Rows for the given rounds, and the state after them. */
function rowsFor(
  rounds: readonly number[],
  {
    matrix = root,
    numParams = 3,
    stream = rng(),
  }: { matrix?: BandedMatrix; numParams?: number; stream?: Rng } = {},
): { rows: Float64Array[]; state: BandedNoise } {
  let state = newBandedNoise({ matrix, noiseMultiplier, numParams }, stream);
  const rows = rounds.map((round) => {
    const next = advance(state, stream, round);
    state = next.state;
    return next.row;
  });
  return { rows, state };
}

const all = (rounds: number): number[] => Array.from({ length: rounds }, (_, round) => round);

describe('the rows of the noise', () => {
  test('times C are independent normal numbers, whatever the matrix', () => {
    fc.assert(
      fc.property(smallMatrices, fc.integer({ min: 1, max: 5 }), (matrix, numParams) => {
        const { rows } = rowsFor(all(matrix.rounds), { matrix, numParams });
        for (const [round, row] of rows.entries()) {
          const independent = standardNormals(rng().fork(`row ${round}`), numParams);
          for (const index of row.keys()) {
            const whitened = matrix.coefficients.reduce(
              (sum, value, lag) => sum + value * (rows[round - lag]?.[index] ?? 0),
              0,
            );
            expect(whitened).toBeCloseTo(independent[index]!, 9);
          }
        }
      }),
    );
  });

  test('of one band are the independent noise, bit for bit', () => {
    const matrix = squareRootMatrix({ rounds: 6, minSeparation: 3, bands: 1 });
    const { rows, state } = rowsFor(all(6), { matrix, numParams: 50 });
    for (const [round, row] of rows.entries()) {
      const stream = rng().fork(`row ${round}`);
      expect(row).toEqual(standardNormals(rng().fork(`row ${round}`), 50));
      const independent = drawNoise(stream, 50, options(1.3, 0.5));
      expect([...bandedNoiseVector(row, options(1.3, 0.5))]).toEqual([...independent]);
    }
    expect(state.rows).toEqual([]);
  });

  test('are the same whether a site answers every round or sits some out', () => {
    fc.assert(
      fc.property(smallMatrices, fc.integer({ min: 0, max: 2 ** 12 - 1 }), (matrix, answered) => {
        const rounds = all(matrix.rounds).filter((round) => (answered >> round) & 1);
        const { rows } = rowsFor(all(matrix.rounds), { matrix });
        const some = rowsFor(rounds, { matrix });
        expect(some.rows).toEqual(rounds.map((round) => rows[round]));
        expect(some.state.nextRow).toBe((rounds.at(-1) ?? -1) + 1);
        expect(some.state.rows).toHaveLength(Math.min(some.state.nextRow, matrix.coefficients.length - 1));
      }),
    );
  });

  test('are never handed out twice: a round that has been passed is refused', () => {
    const { state } = rowsFor([0, 3]);
    for (const round of [0, 1, 2, 3])
      expect(() => advance(state, rng(), round)).toThrow(expect.objectContaining({ code: 'POLICY_REFUSED' }));
    expect(() => advance(state, rng(), 12)).toThrow(expect.objectContaining({ code: 'POLICY_REFUSED' }));
    expect(advance(state, rng(), 11).state.nextRow).toBe(12);
  });

  test('leave the state before them as it was, so that a crash before the commit loses nothing', () => {
    const { state } = rowsFor([0, 1, 2]);
    const before = encodeState(state);
    expect(advance(state, rng(), 5)).toEqual(advance(state, rng(), 5));
    expect(encodeState(state)).toEqual(before);
  });

  test('of a secure stream differ between sites, rounds and attempts', () => {
    const stream = secureRng();
    const { state, rows } = rowsFor([0, 1], { stream });
    const others = [advance(state, stream, 2).row, advance(state, stream, 2).row, rowsFor([0]).rows[0]];
    expect(new Set([...rows, ...others].map(String)).size).toBe(5);
    expect(
      newBandedNoise({ matrix: root, noiseMultiplier, numParams: 3 }, stream).participationKey,
    ).not.toEqual(state.participationKey);
  });

  test('that overflow are refused: they would hide nothing', () => {
    const matrix = { ...root, coefficients: [1e-320] };
    const state = newBandedNoise({ matrix, noiseMultiplier, numParams: 3 }, rng());
    expect(() => advance(state, rng(), 0)).toThrow(expect.objectContaining({ code: 'NON_FINITE' }));
  });
});

describe('the noise of a release', () => {
  test('is the row times z * C * (1 + slack) / g, rounded', () => {
    const units = fc.double({ min: 0.01, max: 50, noNaN: true });
    fc.assert(
      fc.property(units, units, (z, c) => {
        const { rows } = rowsFor([4], { numParams: 40 });
        const noise = bandedNoiseVector(rows[0]!, options(z, c));
        const stdDev = (z * c * (1 + sensitivitySlack(40))) / gridStep(ClipNorm.parse(c), 40);
        expect(noise).toMatchObject(options(z, c));
        for (const [index, value] of noise.entries()) {
          expect(Number.isInteger(value)).toBe(true);
          expect(Math.abs(value - rows[0]![index]! * stdDev)).toBeLessThanOrEqual(0.5 + 1e-6);
        }
      }),
    );
  });

  test('is added to the grid sum in integers', () => {
    const sum = Float64Array.of(0.4, -1, 2) as SummedUpdate;
    const settings = options(1.3, 0.5);
    const fresh = newBandedNoise({ matrix: root, noiseMultiplier, numParams: 3 }, rng());
    const { row } = advance(fresh, rng(), 2);
    const noise = bandedNoiseVector(row, settings);
    const update = release(sum, noise, settings);
    const grid = toGrid(sum, gridStep(settings.clipNorm, 3));
    expect([...update]).toEqual([...grid].map((value, index) => value + noise[index]!));
    expect(() => release(sum, noise, options(2.6, 0.5))).toThrow(RangeError);
  });

  test('every ledger of a run can be read, and costs what the first round did', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 12 - 1 }), (answered) => {
        let state = newBandedNoise({ matrix: root, noiseMultiplier, numParams: 1 }, rng());
        const rounds = all(root.rounds).filter((round) => (answered >> round) & 1);
        const entries = rounds.map((round) => {
          const event = eventAfter(state, 2);
          ({ state } = advance(state, rng(), round));
          return { event, count: 1 };
        });
        expect(interpreted(entries)).toEqual(interpreted(entries.slice(0, 1)));
        if (entries.length < 2) return;
        expect(() => interpreted(entries.slice(1))).toThrow(
          expect.objectContaining({ code: 'EVENT_UNSUPPORTED' }),
        );
      }),
    );
  });

  test('another noise multiplier in the middle of a run is not covered', () => {
    const { state } = rowsFor([0]);
    const paid = eventAfter(newBandedNoise({ matrix: root, noiseMultiplier, numParams: 3 }, rng()), 2);
    const step = eventAfter(state, 1.9);
    const entries = [paid, step].map((event) => ({ event, count: 1 }));
    expect(() => interpreted(entries)).toThrow(expect.objectContaining({ code: 'EVENT_UNSUPPORTED' }));
  });
});

describe('the state as bytes', () => {
  test('comes back as it was, and the noise goes on from it', () => {
    fc.assert(
      fc.property(smallMatrices, fc.nat(), fc.integer({ min: 1, max: 5 }), (matrix, last, numParams) => {
        const { state } = rowsFor([last % matrix.rounds], { matrix, numParams });
        const decoded = decodeState(encodeState(state), { matrix, noiseMultiplier, numParams });
        expect(decoded).toEqual(state);
        if (state.nextRow === matrix.rounds) return;
        expect(advance(decoded, rng(), state.nextRow)).toEqual(advance(state, rng(), state.nextRow));
      }),
    );
    const fresh = newBandedNoise({ matrix: root, noiseMultiplier, numParams: 3 }, rng());
    expect(decodeState(encodeState(fresh), fresh)).toEqual(fresh);
  });

  test('with any byte changed, cut off or added is refused', () => {
    const { state } = rowsFor([0, 1, 2]);
    const bytes = encodeState(state);
    const damaged = [
      ...Array.from(bytes, (value, index) => bytes.with(index, value ^ 1)),
      ...Array.from(bytes, (_, length) => bytes.slice(0, length)),
      Uint8Array.of(...bytes, 0),
    ];
    for (const each of damaged)
      expect(() => decodeState(each, state)).toThrow(expect.objectContaining({ code: 'LEDGER_CORRUPT' }));
  });

  test('of another matrix, noise multiplier or model is refused: the plan has changed, not the ledger', () => {
    const { state } = rowsFor([0, 1]);
    const changes: Partial<BandedNoise>[] = [
      { numParams: 4 },
      { noiseMultiplier: NoiseMultiplier.parse(2.999) },
      { matrix: { ...root, coefficients: [1, 0.5, 0.375] } },
      { matrix: { ...root, rounds: 13 } },
      { matrix: { ...root, minSeparation: 5 } },
      { matrix: { ...root, maxParticipations: 2 } },
    ];
    for (const change of changes)
      expect(() => decodeState(encodeState(state), { ...state, ...change })).toThrow(
        expect.objectContaining({ code: 'EQUIVOCATION' }),
      );
  });

  test('lies anywhere in a larger buffer', () => {
    const { state } = rowsFor([0, 1]);
    const bytes = encodeState(state);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeState(shifted.subarray(3), state)).toEqual(state);
  });
});
