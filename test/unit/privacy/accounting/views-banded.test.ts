import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MechanismEvent } from '../../../../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import {
  coordinatorView,
  plannedViews,
  recipientsView,
  type SiteRound,
} from '../../../../shared/privacy/accounting/views.ts';
import type { BandedMatrix } from '../../../../shared/privacy/banded-matrix.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Delta, NoiseMultiplier, Seed } from '../../../../shared/units.ts';
import { gaussian } from './events.ts';

const delta = Delta.parse(1e-6);
const matrix: BandedMatrix = {
  coefficients: [1, 0.5, 0.25],
  rounds: 6,
  minSeparation: 3,
  maxParticipations: 2,
};
const opening = (z: number): MechanismEvent => ({
  type: 'banded-matrix',
  noiseMultiplier: NoiseMultiplier.parse(z),
  matrix,
});
const step = (z: number): MechanismEvent => ({
  type: 'banded-matrix-step',
  noiseMultiplier: NoiseMultiplier.parse(z),
  matrix,
});
const bandedRound = (event: MechanismEvent, answeredBy: readonly string[], site = 'a'): SiteRound => ({
  event,
  answeredBy,
  answered: answeredBy.includes(site),
  answeredSites: answeredBy.length,
});
/** Rounds of one banded matrix; site `a` is the one whose users are looked at. */
const attendance: fc.Arbitrary<readonly SiteRound[]> = fc
  .array(fc.subarray(['a', 'b', 'c', 'd', 'e']), { minLength: 1, maxLength: 6 })
  .map((names) => names.map((sites, round) => bandedRound(round === 0 ? opening(2) : step(2), sites)));

describe('noise that is correlated over rounds', () => {
  test('counts the sites that answered every round: all, some, fewer than ever answered at once', () => {
    const all = ['a', 'b', 'c', 'd'];
    expect(recipientsView([bandedRound(opening(2), all), bandedRound(step(2), all)], 0)).toEqual([
      { event: opening(4), count: 1 },
      { event: step(4), count: 1 },
    ]);
    const onceFewer = [bandedRound(opening(2), all), bandedRound(step(2), ['a', 'd'])];
    expect(recipientsView(onceFewer, 0)).toEqual([
      { event: opening(2 * Math.SQRT2), count: 1 },
      { event: step(2 * Math.SQRT2), count: 1 },
    ]);
    const inTurns = [bandedRound(opening(2), ['a', 'b']), bandedRound(step(2), ['a', 'c'])];
    expect(recipientsView(inTurns, 0)).toEqual([
      { event: opening(2), count: 1 },
      { event: step(2), count: 1 },
    ]);
  });

  test('without names the other sites count for nothing, and plain noise counts as ever', () => {
    const nameless = { event: opening(2), answered: true, answeredSites: 4 };
    expect(recipientsView([nameless], 0)).toEqual([{ event: opening(2), count: 1 }]);
    const both: MechanismEvent = { type: 'composition', events: [opening(2), gaussian(3)] };
    expect(recipientsView([bandedRound(both, ['a', 'b', 'c', 'd'])], 0)).toEqual([
      { event: { type: 'composition', events: [opening(4), gaussian(6)] }, count: 1 },
    ]);
    expect(recipientsView([{ ...bandedRound(both, ['a', 'b', 'c', 'd']), answered: false }], 0)).toEqual([]);
  });

  test('rounds that this site missed do not count, but a first round that was paid and came too late does', () => {
    const rounds = [
      bandedRound(opening(2), ['b']),
      bandedRound(step(2), ['a', 'b', 'c']),
      bandedRound(step(2), ['d']),
      bandedRound(step(2), ['a', 'b']),
    ];
    expect(recipientsView(rounds, 0)).toEqual([
      { event: opening(2 * Math.SQRT2), count: 1 },
      { event: step(2 * Math.SQRT2), count: 2 },
    ]);
    expect(recipientsView(rounds.slice(0, 1), 0)).toEqual([]);
  });

  test('costs at most the coordinator view, never less with more colluders, and always has a price', () => {
    fc.assert(
      fc.property(attendance, fc.nat(5), (rounds, colluding) => {
        const epsilon = rdpEpsilon(recipientsView(rounds, colluding), delta);
        expect(epsilon).toBeLessThanOrEqual(rdpEpsilon(coordinatorView([opening(2)]), delta) * (1 + 1e-9));
        expect(epsilon).toBeLessThanOrEqual(rdpEpsilon(recipientsView(rounds, colluding + 1), delta));
        expect(epsilon > 0).toBe(rounds.some(({ answered }) => answered));
      }),
    );
  });

  test("the noise of a run is at least what the view says, whichever sites miss which rounds; of 'the fewest sites' it is not", () => {
    const rng = seededRng(Seed.parse(3)).fork('attendance');
    const fewest = { held: 0, broken: 0 };
    for (let trial = 0; trial < 200; trial++) {
      const rounds = Array.from({ length: matrix.rounds }, (_, round) => {
        const others = ['b', 'c', 'd'].filter(() => rng.uniform() < 0.7);
        return bandedRound(round === 0 ? opening(1) : step(1), ['a', ...others]);
      });
      const [first] = recipientsView(rounds, 0);
      const z = first?.event.type === 'banded-matrix' ? first.event.noiseMultiplier : Infinity;
      expect(leastNoiseLeft(rounds, z ** 2)).toBeGreaterThan(-1e-9);
      const least = Math.min(...rounds.map(({ answeredSites }) => answeredSites));
      fewest[leastNoiseLeft(rounds, least) > -1e-9 ? 'held' : 'broken'] += 1;
    }
    expect(fewest.broken).toBeGreaterThan(20);
  });

  test('as planned: a banded matrix is paid once for all its rounds, and again when it begins anew', () => {
    const views = plannedViews({ event: opening(2), rounds: 6, sites: 4, colludingSites: 0 });
    expect(views.coordinator).toEqual([
      { event: opening(2), count: 1 },
      { event: step(2), count: 5 },
    ]);
    expect(views.recipients).toEqual([
      { event: opening(4), count: 1 },
      { event: step(4), count: 5 },
    ]);
    expect(plannedViews({ event: opening(2), rounds: 7, sites: 2 }).coordinator).toEqual([
      { event: opening(2), count: 2 },
      { event: step(2), count: 5 },
    ]);
    expect(plannedViews({ event: opening(2), rounds: 1, sites: 2 }).coordinator).toEqual([
      { event: opening(2), count: 1 },
    ]);
  });
});

/**
 * Least eigenvalue of (covariance of the sum's noise over the rounds - `times` * covariance of one site's), with noise row t
 * of a site equal to row t of C^-1 Z: negative where the sum holds less noise in some direction than it is credited with.
 */
function leastNoiseLeft(rounds: readonly SiteRound[], times: number): number {
  const one = covariance(matrix.coefficients, rounds.length);
  const together = one.map((row, t) =>
    row.map((value, u) => {
      const both = rounds[t]!.answeredBy!.filter((site) => rounds[u]!.answeredBy!.includes(site)).length;
      return value * (both - times);
    }),
  );
  return leastEigenvalue(together);
}

/** C^-1 C^-T of the lower-triangular Toeplitz matrix C. */
function covariance(coefficients: readonly number[], size: number): number[][] {
  const inverse: number[] = [];
  for (let lag = 0; lag < size; lag++) {
    const rest = coefficients.slice(1).reduce((sum, c, i) => sum + c * (inverse[lag - 1 - i] ?? 0), 0);
    inverse.push(((lag === 0 ? 1 : 0) - rest) / coefficients[0]!);
  }
  return inverse.map((_, t) =>
    inverse.map((__, u) => {
      let sum = 0;
      for (let j = 0; j <= Math.min(t, u); j++) sum += inverse[t - j]! * inverse[u - j]!;
      return sum;
    }),
  );
}

/** By power iteration on a shifted matrix. */
function leastEigenvalue(symmetric: readonly (readonly number[])[]): number {
  const shift = Math.max(...symmetric.map((row) => row.reduce((sum, value) => sum + Math.abs(value), 0)));
  let vector = symmetric.map((_, i) => 1 + 0.37 * Math.sin(3 * i + 1));
  let largest = 0;
  for (let iteration = 0; iteration < 3000; iteration++) {
    const next = symmetric.map(
      (row, i) => shift * vector[i]! - row.reduce((sum, value, j) => sum + value * vector[j]!, 0),
    );
    largest = Math.hypot(...next);
    if (largest === 0) return shift;
    vector = next.map((value) => value / largest);
  }
  return shift - largest;
}
