import { describe, expect, test } from 'vitest';
import {
  AdaptiveClipping,
  bitStdDevFor,
  clippingAfter,
  protectionAfter,
} from '../../coordinator/aggregate/clip-norm.ts';
import { addUpdate, meanUpdate, publicDenominator } from '../../coordinator/aggregate/mean.ts';
import { withBits } from '../../shared/privacy/adaptive-clipping.ts';
import { drawNoise, release } from '../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../shared/privacy/update.ts';
import { adaptiveRelease, Protection, releaseShape } from '../../shared/protocol/plan.ts';
import { standardNormals } from '../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { poissonSample } from '../../shared/random/sample.ts';
import { SamplingRate, Seed } from '../../shared/units.ts';

// Streams are seeded, so every outcome repeats; false-alarm probabilities over seeds are stated at each test.

const [z, numSites, usersPerSite] = [1.2, 2, 400];
const q = SamplingRate.parse(0.25);
const denominator = publicDenominator(q, [usersPerSite, usersPerSite]);

function protectionOf(clipNorm: number): Protection {
  return Protection.parse({
    ...{ type: 'user-dp', mode: 'local', clipNorm, noiseMultiplier: z, samplingRate: q, delta: 1e-6 },
    adaptiveClipping: { bitStdDev: bitStdDevFor(z) },
  });
}

/** The mean of both sites' releases: one parameter that is always zero, and the count of the drawn users within C. */
function noisedMean(protection: Protection, norms: readonly Float64Array[], rng: Rng): Float64Array {
  const adaptive = adaptiveRelease(protection);
  if (!adaptive || protection.type === 'none') throw new Error('the clip norm does not adapt');
  const { numCoordinates, clipNorm, gridStep } = releaseShape(protection, 1);
  const updates = norms.map((all, site) => {
    const users = poissonSample(rng.fork(`draw ${site}`), all.length, q);
    const drawn = {
      sum: new Float64Array(1) as SummedUpdate,
      users,
      norms: Float64Array.from(users, (user) => all[user] ?? 0),
    };
    const options = { ...protection, clipNorm };
    const noise = drawNoise(rng.fork(`noise ${site}`), numCoordinates, options);
    return release(withBits(drawn, adaptive), noise, options);
  });
  const sum = new Float64Array(numCoordinates);
  for (const update of updates) addUpdate(sum, update);
  return meanUpdate(sum, gridStep, denominator);
}

describe('the clip norm', () => {
  const rounds = 700;
  const cases = [0.1, 0.3, 0.5, 0.8, 0.9].flatMap((target) =>
    [0.01, 90].flatMap((start) => [1, 2].map((seed) => [target, start, seed] as const)),
  );

  // Around the quantile ln C is a first-order autoregression with coefficient 1 - eta f, where f, the density of ln(norm), is
  // at most 0.4 here. The fraction's noise has standard deviation 0.052 (the count's 0.042, the coins' 0.031). The fraction
  // of the sites' 800 users that the last C holds then has standard deviation sqrt(eta f / 2) * 0.052 < 0.0105: the bound is
  // 5.7 of them, passed with probability 1.2e-8, in one of the twenty cases with 2.4e-7.
  test.each(cases)('follows quantile %d from %d, seed %d', (target, start, seed) => {
    const rng = seededRng(Seed.parse(1000 + seed));
    const norms = Array.from({ length: numSites }, (_, site) =>
      standardNormals(rng.fork(`norms ${site}`), usersPerSite).map((value) => Math.exp(value - 1)),
    );
    const options = AdaptiveClipping.parse({ targetQuantile: target });
    let protection = protectionOf(start);
    for (let round = 0; round < rounds; round++) {
      const mean = noisedMean(protection, norms, rng.fork(`round ${round}`));
      protection = protectionAfter(protection, clippingAfter(protection, mean, options));
    }
    const clipNorm = protection.type === 'none' ? 0 : protection.clipNorm;
    const within = norms.flatMap((all) =>
      all.map((norm) => (norm <= clipNorm ? 1 : 0)).reduce((a, b) => a + b),
    );
    const fraction = within.reduce((a, b) => a + b) / (numSites * usersPerSite);
    expect(Math.abs(fraction - target)).toBeLessThan(0.06);
  });
});

describe('the count', () => {
  const trials = 20_000;

  // Five standard deviations of mean and of mean square: 5.7e-7 each.
  test('has noise of standard deviation sigma_b users at each site, whatever C', () => {
    for (const [index, clipNorm] of [0.02, 3, 70].entries()) {
      const rng = seededRng(Seed.parse(77 + index));
      const protection = protectionOf(clipNorm);
      const adaptive = adaptiveRelease(protection)!;
      const { numCoordinates, clipNorm: joint, gridStep } = releaseShape(protection, trials - 1);
      const noise = drawNoise(rng, numCoordinates, { ...adaptive, clipNorm: joint });
      const oneUser = withBits(
        { sum: new Float64Array(0) as SummedUpdate, users: Int32Array.of(0), norms: Float64Array.of(0) },
        adaptive,
      ).at(-1)!;
      // Twice the bit: a user within C adds 1, one beyond takes 1 away. Every coordinate has the same noise.
      const users = noise.map((value) => (value * gridStep) / (2 * oneUser) / adaptive.bitStdDev);
      const mean = users.reduce((a, b) => a + b) / trials;
      const square = users.reduce((a, b) => a + b * b, 0) / trials;
      expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(trials));
      // The noise covers the slack of 0.001 too.
      expect(Math.abs(square - 1)).toBeLessThan(0.002 + 5 * Math.sqrt(2 / trials));
    }
  });

  test('the test can fail: noise for bits of sensitivity 1 would be noticed', () => {
    expect(Math.abs(0.5 ** 2 - 1)).toBeGreaterThan(0.002 + 5 * Math.sqrt(2 / trials));
  });
});
