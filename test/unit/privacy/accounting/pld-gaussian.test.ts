import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  gaussianDeltaBounds,
  gaussianEpsilonBounds,
} from '../../../../shared/privacy/accounting/gaussian-accountant.ts';
import { epsilonBounds } from '../../../../shared/privacy/accounting/pld/bounds.ts';
import { deltaBounds } from '../../../../shared/privacy/accounting/pld/deltas.ts';

// The accountant takes the closed form where nothing is sampled; here its grids have to find the same.

/** Many Gaussian releases of separation at most 60 in all. */
const gaussians = fc
  .record({
    logNoise: fc.double({ min: -0.5, max: 2, noNaN: true }),
    logCount: fc.double({ min: 0, max: 4.5, noNaN: true }),
    logDelta: fc.double({ min: -12, max: -1.5, noNaN: true }),
    share: fc.double({ min: 0.3, max: 1.3, noNaN: true }),
  })
  .map(({ logNoise, logCount, logDelta, share }) => {
    const [noiseMultiplier, count] = [10 ** logNoise, Math.ceil(10 ** logCount)];
    return {
      noiseMultiplier,
      count,
      delta: 10 ** logDelta,
      share,
      separation: Math.sqrt(count) / noiseMultiplier,
    };
  })
  .filter(({ separation }) => separation < 60);

test('both bounds of composed Gaussians enclose the closed form, in epsilon and each way in delta', () => {
  fc.assert(
    fc.property(gaussians, ({ noiseMultiplier, count, delta, share, separation }) => {
      const mechanisms = [{ noiseMultiplier, count, samplingRate: 1 }];
      const exact = gaussianEpsilonBounds(separation, delta);
      const { lower, upper } = epsilonBounds(mechanisms, delta);
      expect(lower).toBeLessThanOrEqual(exact.upper);
      expect(upper).toBeGreaterThanOrEqual(exact.lower);
      expect(upper - lower).toBeLessThanOrEqual(1.01e-3 * upper + 2e-6);
      const epsilon = share * exact.upper;
      const exactDelta = gaussianDeltaBounds(separation, epsilon);
      const deltaAt = deltaBounds(mechanisms);
      for (const direction of ['removing', 'adding'] as const) {
        const bounds = deltaAt(direction, epsilon);
        expect(bounds.lower, direction).toBeLessThanOrEqual(exactDelta.upper);
        expect(bounds.upper, direction).toBeGreaterThanOrEqual(exactDelta.lower);
        expect(bounds.upper - bounds.lower, direction).toBeLessThanOrEqual(5e-3 * bounds.upper + 1e-17);
      }
    }),
    { numRuns: 20 },
  );
});
