import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AdaptiveClipping,
  bitStdDevFor,
  clippingAfter,
  protectionAfter,
} from '../../../coordinator/aggregate/clip-norm.ts';
import { protectionOf } from '../../../coordinator/config.ts';
import { withBits } from '../../../shared/privacy/adaptive-clipping.ts';
import { sensitivitySlack } from '../../../shared/privacy/grid.ts';
import type { SummedUpdate } from '../../../shared/privacy/update.ts';
import { adaptiveRelease, Protection, plannedEvent, releaseShape } from '../../../shared/protocol/plan.ts';
import { aFederationConfig } from '../../support/a-run.ts';

const plain = {
  type: 'user-dp',
  mode: 'local',
  clipNorm: 0.5,
  noiseMultiplier: 2,
  samplingRate: 0.25,
  delta: 1e-6,
};
const fixed = Protection.parse(plain);
const none = Protection.parse({ type: 'none', gridRange: 4, samplingRate: 0.25, delta: 1e-6 });

function adaptive(clipNorm = 0.5, bitStdDev = 10): Protection {
  return Protection.parse({ ...plain, clipNorm, adaptiveClipping: { bitStdDev } });
}

/** The mean update of one parameter whose count, without noise, says this fraction. */
function meanSaying(fraction: number, protection: Protection): Float64Array {
  const release = adaptiveRelease(protection);
  if (!release) throw new Error('the clip norm does not adapt');
  const one = { sum: Float64Array.of(7) as SummedUpdate, users: Int32Array.of(0), norms: Float64Array.of(0) };
  return Float64Array.of(7, (2 * fraction - 1) * withBits(one, release)[1]!);
}

const options = (change: Record<string, unknown> = {}): AdaptiveClipping => AdaptiveClipping.parse(change);

describe('the clip norm of the next round', () => {
  const anything = fc.record({
    clipNorm: fc.double({ min: 0.01, max: 10, noNaN: true }),
    fraction: fc.double({ min: 0, max: 1, noNaN: true }),
    target: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
    rate: fc.double({ min: 0.01, max: 1, noNaN: true }),
  });

  test('is C exp(-learningRate (fraction - targetQuantile))', () => {
    fc.assert(
      fc.property(anything, ({ clipNorm, fraction, target, rate }) => {
        const protection = adaptive(clipNorm);
        const clipping = clippingAfter(
          protection,
          meanSaying(fraction, protection),
          options({ targetQuantile: target, learningRate: rate }),
        );
        expect(clipping?.clipNorm).toBe(clipNorm);
        expect(clipping?.fractionWithin).toBeCloseTo(fraction, 9);
        expect(clipping!.nextClipNorm / clipNorm).toBeCloseTo(Math.exp(-rate * (fraction - target)), 9);
        expect(protectionAfter(protection, clipping)).toEqual({
          ...protection,
          clipNorm: clipping?.nextClipNorm,
        });
      }),
    );
  });

  test('stays in its range, however often all are below or above', () => {
    const range = options({ minClipNorm: 0.2, maxClipNorm: 3, learningRate: 5 });
    let [low, high] = [adaptive(0.5), adaptive(0.5)];
    for (let round = 0; round < 50; round++) {
      low = protectionAfter(low, clippingAfter(low, meanSaying(1, low), range));
      high = protectionAfter(high, clippingAfter(high, meanSaying(0, high), range));
    }
    expect([low, high]).toMatchObject([{ clipNorm: 0.2 }, { clipNorm: 3 }]);
  });

  test('a count that noise drives outside 0 and 1 moves C as the nearest end does', () => {
    const protection = adaptive();
    const after = (fraction: number): unknown =>
      clippingAfter(protection, meanSaying(fraction, protection), options());
    expect(after(40)).toEqual(after(1));
    expect(after(-40)).toEqual(after(0));
  });

  test('is nothing where the clip norm stays', () => {
    const mean = Float64Array.of(1, 2);
    expect(clippingAfter(fixed, mean, undefined)).toBeUndefined();
    expect(clippingAfter(fixed, mean, options())).toBeUndefined();
    expect(clippingAfter(none, mean, options())).toBeUndefined();
    for (const protection of [fixed, none]) expect(protectionAfter(protection, undefined)).toBe(protection);
  });
});

describe('what a plan asks of a release', () => {
  test('the parameters alone at C, or one coordinate more at the joint clip norm', () => {
    expect(releaseShape(fixed, 9)).toEqual({ numCoordinates: 9, clipNorm: 0.5, gridStep: 0.5 * 2 ** -16 });
    expect(releaseShape(none, 9)).toEqual({ numCoordinates: 9, clipNorm: 4, gridStep: 4 * 2 ** -16 });
    const { numCoordinates, clipNorm, gridStep } = releaseShape(adaptive(0.5, 10), 9);
    expect(numCoordinates).toBe(10);
    expect(clipNorm).toBeCloseTo(0.5 / Math.sqrt(1 - 0.1 ** 2), 12);
    expect(gridStep).toBe(clipNorm * 2 ** -16);
    // The grid is chosen for the coordinates that are released: this model's last one tips it over.
    const numParams = 65_536 ** 2 * 0.0009 ** 2;
    const longest = Math.floor(numParams);
    const finer = releaseShape(adaptive(0.5, 10), longest);
    expect(releaseShape(fixed, longest).gridStep).toBe(0.5 * 2 ** -16);
    expect(finer.gridStep).toBe(finer.clipNorm * 2 ** -17);
    expect(sensitivitySlack(finer.numCoordinates)).toBeLessThanOrEqual(0.001);
  });

  test('is one event for every clip norm, and cannot ask for a count that costs more than the round', () => {
    expect(plannedEvent(adaptive(0.01))).toEqual(plannedEvent(adaptive(99)));
    expect(plannedEvent(adaptive()).type).toBe('adaptive-clipping');
    expect(plannedEvent(fixed)).toEqual({
      type: 'poisson-subsampled-gaussian',
      noiseMultiplier: 2,
      samplingRate: 0.25,
    });
    expect(plannedEvent(none)).toEqual({ type: 'non-private' });
    expect(() => adaptive(0.5, 1)).toThrow('more than half the noise multiplier');
    expect(() => adaptive(0.5, 1.0001)).not.toThrow();
  });
});

describe('the configuration', () => {
  const userDp = { type: 'user-dp', clipNorm: 0.5, samplingRate: 0.25, delta: 1e-6 };
  const promised = (adaptiveClipping: unknown, change: Record<string, unknown> = {}): Protection =>
    protectionOf(
      aFederationConfig({ protection: { ...userDp, noiseMultiplier: 3, adaptiveClipping, ...change } }),
    );

  test('takes the figures of the paper where none are given', () => {
    expect(options()).toEqual({
      targetQuantile: 0.5,
      learningRate: 0.2,
      minClipNorm: 0.001,
      maxClipNorm: 100,
    });
    expect(promised({})).toEqual({
      ...userDp,
      mode: 'local',
      noiseMultiplier: 3,
      adaptiveClipping: { bitStdDev: 15 },
    });
    expect(promised({ bitStdDev: 2 })).toMatchObject({ adaptiveClipping: { bitStdDev: 2 } });
    expect(promised(undefined)).not.toHaveProperty('adaptiveClipping');
  });

  test('the count that it chooses takes half a percent of the update, whatever z', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 100, noNaN: true }), (z) => {
        const protection = promised({}, { noiseMultiplier: z });
        const event = plannedEvent(protection);
        if (event.type !== 'adaptive-clipping') throw new Error('another event');
        expect(event.updateNoiseMultiplier / z).toBeCloseTo(1.0050378, 6);
        expect(bitStdDevFor(z)).toBe(5 * z);
      }),
    );
  });

  test('a target epsilon is solved as without it: z is what is charged', () => {
    const target = { noiseMultiplier: undefined, epsilon: 3 };
    const [with_, without] = [promised({}, target), promised(undefined, target)];
    if (with_.type !== 'user-dp' || without.type !== 'user-dp') throw new Error('unprotected');
    expect(with_.noiseMultiplier).toBe(without.noiseMultiplier);
    expect(with_.adaptiveClipping?.bitStdDev).toBe(5 * without.noiseMultiplier);
  });

  test('refuses a count with too little noise, and says what to change', () => {
    expect(() => promised({ bitStdDev: 1.5 })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => promised({ bitStdDev: 1.5 })).toThrow(
      'bitStdDev is 1.5 users and the noise multiplier 3: the count alone would cost more than the whole round; give more than 1.5, or leave it out for 15',
    );
    expect(() => promised({ bitStdDev: 1.51 })).not.toThrow();
  });

  test.each<[string, Record<string, unknown>]>([
    ['a first clip norm below the range', { minClipNorm: 0.6 }],
    ['a first clip norm above the range', { maxClipNorm: 0.4 }],
    ['a range without an end', { maxClipNorm: 0 }],
    ['a range upside down', { minClipNorm: 0.7, maxClipNorm: 0.3 }],
    ['a quantile that nobody reaches', { targetQuantile: 1 }],
    ['a quantile that everybody passes', { targetQuantile: 0 }],
    ['no step', { learningRate: 0 }],
    ['a misspelt key', { targetquantile: 0.5 }],
  ])('refuses %s', (_what, change) => {
    expect(() => promised({})).not.toThrow();
    expect(() => promised(change)).toThrow();
  });
});
