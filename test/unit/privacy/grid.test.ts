import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clipUpdate, l2Norm } from '../../../shared/privacy/clip.ts';
import { gridStep, sensitivitySlack, toGrid } from '../../../shared/privacy/grid.ts';
import type { RawUpdate, SummedUpdate } from '../../../shared/privacy/update.ts';
import { ClipNorm } from '../../../shared/units.ts';

const norm = (value: number): ClipNorm => ClipNorm.parse(value);
const summed = (values: Iterable<number>): SummedUpdate => Float64Array.from(values) as SummedUpdate;
const sizes = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2 ** 31 }));

function sumOf(updates: readonly Float32Array[], numParams: number): SummedUpdate {
  const sum = new Float64Array(numParams);
  for (const update of updates) for (const [index, value] of update.entries()) sum[index]! += value;
  return summed(sum);
}

/** How far the grid sum moves when the first user is taken out, in L2 norm and grid units. */
function movedBy(users: readonly Float32Array[], clipNorm: ClipNorm): number {
  const numParams = users[0]!.length;
  const step = gridStep(clipNorm, numParams);
  const before = toGrid(sumOf(users, numParams), step);
  const after = toGrid(sumOf(users.slice(1), numParams), step);
  return Math.hypot(...before.map((value, index) => value - after[index]!));
}

function bound(clipNorm: ClipNorm, numParams: number, slack = sensitivitySlack(numParams)): number {
  return (clipNorm * (1 + slack)) / gridStep(clipNorm, numParams);
}

/** The same squared and exactly, for any user taken out, in units of 2^-140. */
function exactMove(users: readonly Float32Array[], left: number, clipNorm: ClipNorm): bigint {
  const numParams = users[0]!.length;
  const step = gridStep(clipNorm, numParams);
  const before = toGrid(sumOf(users, numParams), step);
  const after = toGrid(sumOf(users.toSpliced(left, 1), numParams), step);
  let sum = 0n;
  for (const [index, value] of before.entries()) sum += (BigInt(value) - BigInt(after[index]!)) ** 2n;
  return sum << 140n;
}

/** (C (1 + slack) / g)^2 exactly, in units of 2^-140: C / g is a power of two, and the slack a multiple of 2^-70. */
function exactBound(numParams: number, slack = sensitivitySlack(numParams)): bigint {
  const unitsPerNorm = BigInt(1 / gridStep(norm(1), numParams));
  return (unitsPerNorm * (2n ** 70n + BigInt(slack * 2 ** 70))) ** 2n;
}

function expectWithinExactly(users: readonly Float32Array[], left: number, clipNorm: ClipNorm): void {
  expect(exactMove(users, left, clipNorm) <= exactBound(users[0]!.length)).toBe(true);
}

describe('gridStep', () => {
  test('is C * 2^-k with k = max(16, ceil(log2(sqrt(d) / 0.0009)))', () => {
    expect(gridStep(norm(1), 1)).toBe(2 ** -16);
    expect(gridStep(norm(0.3), 3478)).toBe(0.3 * 2 ** -16);
    expect(gridStep(norm(0.3), 3480)).toBe(0.3 * 2 ** -17);
    expect(gridStep(norm(7), 1_000_000)).toBe(7 * 2 ** -21);
  });

  test('rounding adds at most 0.0009 C, the slack is in (0, 0.001] and covers it', () => {
    fc.assert(
      fc.property(sizes, fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (numParams, c) => {
        const rounding = (gridStep(norm(c), numParams) * Math.sqrt(numParams)) / c;
        expect(rounding).toBeLessThanOrEqual(0.0009);
        expect(sensitivitySlack(numParams)).toBeGreaterThan(rounding);
        expect(sensitivitySlack(numParams)).toBeLessThanOrEqual(0.001);
      }),
      { numRuns: 2000 },
    );
  });

  test('the arithmetic share covers the worst case of adding 2^19 users in float64', () => {
    const users = 2 ** 19;
    const worstCase = 2 * users ** 2 * 2 ** -53;
    const rounding = 2 ** -16;
    expect(sensitivitySlack(1) - rounding).toBeGreaterThan(worstCase);
  });
});

describe('toGrid', () => {
  test('rounds to the nearest integer, holds integers only, turns -0 into 0', () => {
    expect([...toGrid(summed([0.24, 0.26, -0.26, -0.1, -0, 1e9]), 0.5)]).toEqual([0, 1, -1, 0, 0, 2e9]);
  });

  test('is within half a step of the sum', () => {
    const values = fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { maxLength: 30 });
    fc.assert(
      fc.property(values, fc.double({ min: 1e-4, max: 10, noNaN: true }), (sum, step) => {
        for (const [index, value] of toGrid(summed(sum), step).entries()) {
          expect(Number.isInteger(value)).toBe(true);
          expect(Math.abs(value - sum[index]! / step)).toBeLessThanOrEqual(0.5);
        }
      }),
    );
  });

  test.each([NaN, Infinity, -Infinity])('takes %d in a sum as 0, so that no refusal tells of it', (bad) => {
    expect([...toGrid(summed([3, bad]), 1)]).toEqual([3, 0]);
  });
});

describe('slack: one user moves the grid sum by at most C (1 + slack) / g', () => {
  const gridUnits = fc.oneof(
    fc.double({ min: -3e5, max: 3e5, noNaN: true }),
    fc.integer({ min: -70_000, max: 70_000 }).map((units) => units + 0.5),
    fc.constantFrom(0, 0.49999, 0.5, -0.5, 65536, -65536, 1e12, -1e12),
  );
  const federations = fc.integer({ min: 1, max: 12 }).chain((numParams) =>
    fc.array(fc.array(gridUnits, { minLength: numParams, maxLength: numParams }), {
      minLength: 1,
      maxLength: 12,
    }),
  );

  test('for users with coordinates at ties, at the clip norm and far beyond', () => {
    fc.assert(
      fc.property(federations, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (users, c) => {
        const clipNorm = norm(c);
        const step = gridStep(clipNorm, users[0]!.length);
        const clipped = users.map((user) => {
          const update = Float32Array.from(user, (units) => units * step) as RawUpdate;
          return clipUpdate(update, clipNorm).update;
        });
        expect(movedBy(clipped, clipNorm)).toBeLessThanOrEqual(bound(clipNorm, users[0]!.length));
      }),
      { numRuns: 2000 },
    );
  });

  test('for the adversary who makes every coordinate round up: more than C, so the slack is needed, yet within it', () => {
    const [numParams, clipNorm] = [3000, norm(1)];
    const step = gridStep(clipNorm, numParams);
    const user = new Float32Array(numParams).fill(1196.25 * step);
    const others = new Float32Array(numParams).fill(0.3 * step);
    expect(l2Norm(user)).toBeLessThanOrEqual(clipNorm);
    expect(movedBy([user, others], clipNorm)).toBeGreaterThan(bound(clipNorm, numParams, 0));
    expect(movedBy([user, others], clipNorm)).toBeLessThanOrEqual(bound(clipNorm, numParams));
  });

  test('for any one of them, compared in integers: halves, mixed magnitudes, users that cancel', () => {
    const adversary = fc.record({
      numParams: fc.integer({ min: 1, max: 8 }),
      numUsers: fc.integer({ min: 1, max: 60 }),
      c: fc.oneof(fc.constantFrom(1, 0.1, 3), fc.double({ min: 1e-6, max: 1e6, noNaN: true })),
      // Whole grid units, a half, a part just off it, and numbers so small that they only tip a tie.
      units: fc.array(
        fc.tuple(
          fc.constantFrom(0, 1, -1, 32_768, -32_768, 65_535, -65_536),
          fc.constantFrom(0, 0.5, -0.5, 0.25, 0.499999, 0.500001, 2 ** -30, -(2 ** -30), 1e-12),
        ),
        { minLength: 8, maxLength: 40 },
      ),
    });
    fc.assert(
      fc.property(adversary, ({ numParams, numUsers, c, units }) => {
        const clipNorm = norm(c);
        const step = gridStep(clipNorm, numParams);
        const users = Array.from({ length: numUsers }, (_, user) => {
          const values = Array.from({ length: numParams }, (__, index) => {
            const [whole, part] = units[(user * 7 + index * 3) % units.length]!;
            return (whole + part) * step;
          });
          return clipUpdate(Float32Array.from(values) as RawUpdate, clipNorm).update;
        });
        for (const [left] of users.entries()) expectWithinExactly(users, left, clipNorm);
      }),
      { numRuns: 300 },
    );
  });

  test('for a sum of 5000 users in every dimension at a tie that one user tips', () => {
    const [numParams, clipNorm] = [900, norm(0.6)];
    const step = gridStep(clipNorm, numParams);
    const pairs = Array.from({ length: 4998 }, (_, user) =>
      new Float32Array(numParams).fill((user % 2 === 0 ? 1 : -1) * 2000.25 * step),
    );
    const halves = new Float32Array(numParams).fill(0.5 * step * (1 - 2 ** -20));
    const tipping = Float32Array.from({ length: numParams }, () => 2183.5 * step * (1 + 2 ** -20));
    const users = [...pairs, halves, tipping];
    expect(Math.max(...users.map(l2Norm))).toBeLessThanOrEqual(clipNorm);
    expectWithinExactly(users, users.length - 1, clipNorm);
    // The tie is tipped in every coordinate.
    expect(movedBy([tipping, ...pairs, halves], clipNorm)).toBeGreaterThan(2183.5 * Math.sqrt(numParams));
  });

  test('for nobody: the sum of no users is zero, without a sign', () => {
    for (const value of toGrid(sumOf([], 5), 0.1)) expect(Object.is(value, 0)).toBe(true);
    const minusZero = new Float32Array(3).fill(-0);
    for (const value of toGrid(sumOf([minusZero], 3), 0.1)) expect(Object.is(value, 0)).toBe(true);
    expect(toGrid(sumOf([], 0), 0.1)).toHaveLength(0);
  });

  test('the comparison can fail: without the slack, or for a user a thousandth beyond C', () => {
    const [numParams, clipNorm] = [3000, norm(1)];
    const step = gridStep(clipNorm, numParams);
    const long = new Float32Array(numParams).fill(1.0011 / Math.sqrt(numParams));
    expect(exactMove([long], 0, clipNorm) > exactBound(numParams)).toBe(true);
    const upward = [
      new Float32Array(numParams).fill(1196.25 * step),
      new Float32Array(numParams).fill(0.3 * step),
    ];
    expect(exactMove(upward, 0, clipNorm) > exactBound(numParams, 0)).toBe(true);
    expect(exactMove(upward, 0, clipNorm) <= exactBound(numParams)).toBe(true);
  });

  test('for thousands of users that cancel each other', () => {
    const clipNorm = norm(0.7);
    const users = Array.from({ length: 20_001 }, (_, index) =>
      Float32Array.of(0.49 * (-1) ** index, 0.4 + 1e-4 * (index % 7), 2 ** -20 / (1 + index), 1e-30 * index),
    );
    expect(Math.max(...users.map(l2Norm))).toBeLessThanOrEqual(clipNorm);
    expect(movedBy(users, clipNorm)).toBeLessThanOrEqual(bound(clipNorm, 4));
  });
});
