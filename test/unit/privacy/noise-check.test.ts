import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawNoise, gridStdDev, type NoiseOptions } from '../../../shared/privacy/noise.ts';
import { assertNoiseDrawn, meanSquareBounds, type NoiseTest } from '../../../shared/privacy/noise-check.ts';
import vectors from '../../vectors/noise.json' with { type: 'json' };
import {
  clipNorms,
  implausible,
  layouts,
  multipliers,
  options,
  samplers,
  seeded,
  tampered,
  total,
} from './drawn-noise.ts';

// A false alarm has a probability below 1e-12 in each check; streams are seeded or the data adversarial.

/** Every tensor in exactly one group, groups of 32 at least, and all together at the end. */
function expectCover(tests: readonly NoiseTest[], tensors: readonly number[]): void {
  const parts = tests.length === 1 ? tests : tests.slice(0, -1);
  expect(parts.map((part) => part.firstTensor)).toEqual([
    0,
    ...parts.slice(0, -1).map((part) => part.lastTensor + 1),
  ]);
  expect(parts.at(-1)?.lastTensor).toBe(tensors.length - 1);
  for (const { firstTensor, lastTensor, size } of parts) {
    expect(size).toBe(total(tensors.slice(firstTensor, lastTensor + 1)));
    expect(size >= 32 || parts.length === 1).toBe(true);
  }
  expect(tests.at(-1)).toMatchObject({
    firstTensor: 0,
    lastTensor: tensors.length - 1,
    size: total(tensors),
  });
}

describe('meanSquareBounds', () => {
  const counts = fc.integer({ min: 1, max: 1e8 });
  const exponents = fc.double({ min: 0.01, max: 100, noNaN: true });

  test('are the roots of x - 1 - ln x = 2 tau / d, on the safe side, and within those of Laurent and Massart', () => {
    fc.assert(
      fc.property(counts, exponents, (count, tau) => {
        const { low, high } = meanSquareBounds(count, tau);
        const level = (2 * tau) / count;
        for (const x of [low, high])
          expect(Math.abs(x - 1 - Math.log(x) - level)).toBeLessThan(1e-8 * level + 1e-15);
        expect(low).toBeGreaterThan(0);
        expect(low).toBeGreaterThanOrEqual(1 - 2 * Math.sqrt(tau / count) - 1e-15);
        expect(low).toBeLessThan(1);
        expect(high).toBeGreaterThan(1);
        expect(high).toBeLessThanOrEqual(1 + 2 * Math.sqrt(tau / count) + level + 1e-15);
      }),
      { numRuns: 2000 },
    );
  });

  test('are crossed with probability at most exp(-tau): chi-square tails from outside', () => {
    for (const { value, degrees, probability } of vectors.chiSquareBelow)
      expect(value / degrees).toBeGreaterThan(meanSquareBounds(degrees, -Math.log(probability)).low);
    for (const { value, degrees, probability } of vectors.chiSquareTail)
      expect(value / degrees).toBeLessThan(meanSquareBounds(degrees, -Math.log(probability)).high);
  });
});

describe('assertNoiseDrawn', () => {
  test('accepts what drawNoise draws, whatever z, C, sampler and layout, and says what it tested', () => {
    fc.assert(
      fc.property(layouts, multipliers, clipNorms, samplers, (tensors, z, c, sampler) => {
        const noise = drawNoise(seeded(7), total(tensors), { ...options(z, c), sampler });
        const tests = assertNoiseDrawn(noise, tensors);
        expectCover(tests, tensors);
        for (const { expected, found, atLeast, atMost } of tests) {
          expect(expected).toBe(gridStdDev(options(z, c), noise.length));
          expect(atLeast <= found && found <= atMost && atLeast < expected && expected < atMost).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  const tensors = [150, 4, 2400, 40, 16, 16];
  const numParams = total(tensors);
  const good = drawNoise(seeded(8), numParams, options(1.3, 0.4));
  const stdDev = gridStdDev(options(1.3, 0.4), numParams);
  const third = (index: number): boolean => index >= 154 && index < 2554;

  test.each<[string, RegExp, (value: number, index: number) => number]>([
    ['no noise', /tensor 0 .*: .* 0\.000 was found/, () => 0],
    ['half the noise', /tensor 0 /, (value) => value / 2],
    ['sigma squared for sigma, on the grid', /tensor 0 /, (value) => value * stdDev],
    ['sigma squared for sigma, in parameter units: z C = 0.52', /tensor 0 /, (value) => 0.52 * value],
    ['twice the noise', /tensor 0 /, (value) => 2 * value],
    [
      '15 % less noise in all, too little to show in any tensor but the large one',
      /tensors 1 to 2 /,
      (value) => 0.85 * value,
    ],
    ['noise in one tensor only', /tensor 0 /, (value, index) => (third(index) ? value : 0)],
    ['none in the large tensor', /tensors 1 to 2 /, (value, index) => (third(index) ? 0 : value)],
    [
      'none in a small tensor of 40',
      /tensor 3 /,
      (value, index) => (index >= 2554 && index < 2594 ? 0 : value),
    ],
    [
      'none in two that are tested together',
      /tensors 4 to 5 /,
      (value, index) => (index >= 2594 ? 0 : value),
    ],
    ['a constant instead of noise', /tensor 0 /, () => 0.1 * stdDev],
    ['NaN', /tensor 0 .*NaN was found/, (value, index) => (index === 3 ? NaN : value)],
    ['Infinity', /tensor 0 .*Infinity was found/, (value, index) => (index === 3 ? Infinity : value)],
  ])('notices %s, and names the tensor', (_, message, change) => {
    expect(assertNoiseDrawn(good, tensors)).toHaveLength(5);
    expect(() => assertNoiseDrawn(tampered(good, change), tensors)).toThrow(implausible);
    expect(() => assertNoiseDrawn(tampered(good, change), tensors)).toThrow(message);
  });

  test('all tensors together show what none shows alone: 30 % less noise over many small ones', () => {
    const many = Array<number>(100).fill(32);
    const noise = drawNoise(seeded(9), 3200, options(1));
    const less = tampered(noise, (value) => 0.7 * value);
    expect(() => assertNoiseDrawn(less, many)).toThrow(/tensors 0 to 99 /);
    expect(() => assertNoiseDrawn(noise, many)).not.toThrow();
  });

  test('a clip norm below float64 gives no usable noise, and that does not pass', () => {
    const beyondTheSchema = { ...options(1, 1), clipNorm: 5e-324 as NoiseOptions['clipNorm'] };
    const noise = drawNoise(seeded(8), 100, beyondTheSchema);
    expect(() => assertNoiseDrawn(noise, [100])).toThrow(implausible);
  });

  test('refuses a layout of another length', () => {
    expect(() => assertNoiseDrawn(good, [150])).toThrow(RangeError);
    expect(() => assertNoiseDrawn(good, [])).toThrow(RangeError);
  });
});
