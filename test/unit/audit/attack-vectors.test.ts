import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fittedLogistic } from '../../../coordinator/audit/attacks/combiner.ts';
import { fedMiaScore } from '../../../coordinator/audit/attacks/fed-mia.ts';
import { offlineLira, onlineLira, type Shadows } from '../../../coordinator/audit/attacks/lira.ts';
import { fittedGaussian } from '../../../coordinator/audit/attacks/quantile.ts';
import { rmiaLogRatios, rmiaScores } from '../../../coordinator/audit/attacks/rmia.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { fairCoin } from '../../../shared/random/sample.ts';
import { Seed } from '../../../shared/units.ts';

/** Made by test/vectors/make-attack-scores.py with numpy and scipy. */
interface Vectors {
  readonly lira: Record<'phi' | 'isMember' | 'target', number[]> &
    Record<'per-user' | 'fixed', Record<'online' | 'offline', number[]>>;
  readonly gaussianHead: Record<'features' | 'scores' | 'mean' | 'logSpread', number[]>;
  readonly logistic: Record<'features' | 'target' | 'weights', number[]>;
  readonly fedMia: Record<'numRounds' | 'numSites' | 'site', number> &
    Record<'values' | 'cosine' | 'loss', number[]>;
}
const file = new URL('../../vectors/attack-scores.json', import.meta.url);
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors;

function expectClose(got: Float64Array, expected: readonly number[], tolerance: number): void {
  expect(got).toHaveLength(expected.length);
  for (const [index, value] of expected.entries())
    expect(Math.abs(got[index]! - value)).toBeLessThan(tolerance);
}

describe('RMIA', () => {
  // Toy vector of reference/algorithms.md, D3.
  const logs = (values: readonly number[]): Float64Array => Float64Array.from(values, Math.log);
  const x = rmiaLogRatios(logs([0.9, 0.6, 0.3]), Float64Array.of(0.5, 0.55, 0.4), 0.3);
  const z = rmiaLogRatios(logs([0.4, 0.8, 0.2, 0.6]), Float64Array.of(0.5, 0.7, 0.25, 0.5), 0.3);

  test('gives the ratios and scores of the toy example', () => {
    expectClose(x.map(Math.exp), [1.33333333, 0.848057, 0.491803], 1e-6);
    expectClose(z.map(Math.exp), [0.592593, 0.993789, 0.390244, 0.888889], 1e-6);
    expect([...rmiaScores(x, z, { gamma: 1 })]).toEqual([1, 0.5, 0.25]);
    expect([...rmiaScores(x, z, { gamma: 2 })]).toEqual([0.5, 0.25, 0]);
  });

  test('leaves a member of the population out of its own comparison', () => {
    const all = rmiaScores(z, z, { gamma: 1, isInPopulation: () => true });
    expect([...all]).toEqual([1 / 3, 1, 0, 2 / 3]);
  });

  test('is finite where a probability underflows', () => {
    expect([...rmiaLogRatios(Float64Array.of(-2000), Float64Array.of(0), 0.3)][0]).toBeCloseTo(-1998.95, 2);
  });
});

describe('LiRA', () => {
  const { lira } = vectors;
  const shadows: Shadows = { phi: Float64Array.from(lira.phi), isMember: Uint8Array.from(lira.isMember) };
  const target = Float64Array.from(lira.target);

  test.each(['per-user', 'fixed'] as const)('gives what numpy gives, spread %s', (spread) => {
    expectClose(onlineLira(target, shadows, spread), lira[spread].online, 1e-9);
    expectClose(offlineLira(target, shadows, spread), lira[spread].offline, 1e-9);
  });

  test('does not change when statistics are shifted and stretched; with a fixed spread, by one factor for all', () => {
    const factor = fc.double({ min: 0.1, max: 10, noNaN: true });
    const shift = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(factor, shift, (a, b) => {
        const moved = { ...shadows, phi: shadows.phi.map((value) => a * value + b) };
        const movedTarget = target.map((value) => a * value + b);
        for (const spread of ['per-user', 'fixed'] as const) {
          expectClose(onlineLira(movedTarget, moved, spread), lira[spread].online, 1e-6);
          expectClose(offlineLira(movedTarget, moved, spread), lira[spread].offline, 1e-6);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('recovers the log-likelihood ratio of Gaussians from many shadows', () => {
    const rng = seededRng(Seed.parse(3));
    const numShadows = 20_000;
    const isMember = Uint8Array.from({ length: numShadows }, () => (fairCoin(rng) ? 1 : 0));
    const noise = standardNormals(rng, numShadows);
    // Members N(2, 1.5), others N(0, 1).
    const phi = noise.map((value, k) => (isMember[k] === 1 ? 2 + 1.5 * value : value));
    for (const at of [-1, 0, 1, 2, 3]) {
      const exact = -Math.log(1.5) - ((at - 2) / 1.5) ** 2 / 2 + at ** 2 / 2;
      const [got] = onlineLira(Float64Array.of(at), { phi, isMember }, 'per-user');
      // Standard errors: 0.013 of a median, 0.7 % of a spread; up to 0.08 at 3.
      expect(Math.abs(got! - exact)).toBeLessThan(0.4);
    }
    const [offline] = offlineLira(Float64Array.of(3), { phi, isMember }, 'fixed');
    expect(Math.abs(offline! - 3)).toBeLessThan(0.2);
  });

  test('is one-sided offline: an unusually low statistic is no sign of membership', () => {
    const low = offlineLira(Float64Array.of(-50, 0, 0, 0, 0), shadows, 'per-user');
    const high = offlineLira(Float64Array.of(50, 0, 0, 0, 0), shadows, 'per-user');
    expect(low[0]).toBeLessThan(high[0]!);
  });

  test('refuses a user who trained in every shadow', () => {
    const always = { ...shadows, isMember: new Uint8Array(shadows.phi.length).fill(1) };
    expect(() => offlineLira(target, always, 'fixed')).toThrow(
      expect.objectContaining({ code: 'DATA_EMPTY' }),
    );
  });
});

describe('FedMIA', () => {
  const { fedMia } = vectors;
  const { numRounds, numSites, site } = fedMia;
  const values = Float64Array.from(fedMia.values);

  test.each(['cosine', 'loss'] as const)('gives what numpy gives for %s measures', (mode) => {
    expectClose(fedMiaScore({ values, numRounds, numSites, mode }, site), fedMia[mode], 1e-9);
  });

  test('drops a site that owns the same records, in cosine mode only', () => {
    const without = values.slice();
    without[(1 * numSites + 5) * 4 + 2] = 0;
    const cosine = { values, numRounds, numSites, mode: 'cosine' as const };
    const [kept, other] = [fedMiaScore(cosine, site), fedMiaScore({ ...cosine, values: without }, site)];
    expect(Math.abs(kept[2]! - other[2]!)).toBeLessThan(0.05);
    expect(kept[0]).toBe(other[0]);
  });

  test('needs two sites to compare with', () => {
    const two = { values: new Float64Array(8), numRounds: 1, numSites: 2, mode: 'loss' as const };
    expect(() => fedMiaScore(two, 0)).toThrow(expect.objectContaining({ code: 'DATA_EMPTY' }));
  });
});

test('the Gaussian head is where scipy finds the maximum of the penalised likelihood', () => {
  const { features, scores, mean, logSpread } = vectors.gaussianHead;
  const head = fittedGaussian(Float64Array.from(features), Float64Array.from(scores));
  expectClose(head.mean, mean, 1e-5);
  expectClose(head.logSpread, logSpread, 1e-5);
});

test('the Gaussian head stays finite where scores are all the same, or features twins', () => {
  const features = Float64Array.from({ length: 90 }, (_, at) => (at % 3 === 0 ? 1 : Math.floor(at / 3) % 5));
  for (const scores of [new Float64Array(30), Float64Array.from({ length: 30 }, (_, row) => row % 7)]) {
    const { mean, logSpread } = fittedGaussian(features, scores);
    expect([...mean, ...logSpread].every(Number.isFinite)).toBe(true);
  }
});

test('the logistic regression is where scipy finds the minimum', async () => {
  const { features, target, weights } = vectors.logistic;
  const got = await fittedLogistic(Float64Array.from(features), Float64Array.from(target), () =>
    Promise.resolve(),
  );
  expectClose(got, weights, 1e-5);
});
