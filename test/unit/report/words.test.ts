import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deltaText, epsilonText, percent, pText, tprName } from '../../../scenarios/report/words.ts';

describe('figures in words', () => {
  test('an upper bound on epsilon is never shown smaller, nor a hundredth larger', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e4, noNaN: true }), (epsilon) => {
        const shown = Number(epsilonText(epsilon));
        expect(shown).toBeGreaterThanOrEqual(epsilon);
        expect(shown - epsilon).toBeLessThan(0.01 + 1e-9);
      }),
    );
  });

  test('an epsilon that has two decimals is shown as it is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (hundredths) => {
        expect(epsilonText(hundredths / 100)).toBe((hundredths / 100).toFixed(2));
      }),
    );
  });

  test.each([
    [1e-6, '1e-6'],
    [1.5e-5, '1.5e-5'],
    [0.5, '5e-1'],
    [1 / 8192, '1.22e-4'],
  ])('delta %d is %s', (delta, text) => {
    expect(deltaText(delta)).toBe(text);
  });

  test.each([
    [0.18, 'p=0.18'],
    [1, 'p=1.00'],
    [0.0995, 'p=0.10'],
    [0.0994, 'p=0.099'],
    [0.0312, 'p=0.031'],
    [0.001, 'p=0.001'],
    [0.000999, 'p<0.001'],
    [0, 'p<0.001'],
  ])('p-value %d is %s', (pValue, text) => {
    expect(pText(pValue)).toBe(text);
  });

  test('rates', () => {
    expect([0, 0.012, 1].map(percent)).toEqual(['0.0%', '1.2%', '100.0%']);
    expect([0.1, 0.01, 0.001].map(tprName)).toEqual(['TPR@10%', 'TPR@1%', 'TPR@0.1%']);
  });
});
