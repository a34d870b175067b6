import { describe, expect, test } from 'vitest';
import vectors from '../vectors/noise.json' with { type: 'json' };
import { chiSquarePValue, kolmogorovPValue, normalPValue, pearsonPValue } from './p-values.ts';

describe('p-values are those of SciPy', () => {
  test.each(vectors.chiSquareTail)(
    'chi-square $value with $degrees degrees',
    ({ value, degrees, probability }) => {
      expect(chiSquarePValue(value, degrees) / probability).toBeCloseTo(1, 9);
    },
  );

  test.each(vectors.kolmogorovTail)('Kolmogorov $value', ({ value, probability }) => {
    expect(kolmogorovPValue(value) / probability).toBeCloseTo(1, 9);
  });

  test('normal: 1.96 and 5', () => {
    expect(normalPValue(-1.959963984540054)).toBeCloseTo(0.05, 12);
    expect(normalPValue(5) / 5.733031437583866e-7).toBeCloseTo(1, 9);
  });
});

test('odd degrees are refused, and Pearson joins cells until the degrees are even', () => {
  expect(() => chiSquarePValue(3, 5)).toThrow(RangeError);
  // Cells 40, 40, 20 + 20: (10^2 + 10^2) / 40 = 5 with two degrees.
  expect(pearsonPValue([50, 30, 20, 20], [40, 40, 20, 20])).toBeCloseTo(Math.exp(-2.5), 12);
  expect(pearsonPValue([50, 30, 40], [40, 40, 40])).toBeCloseTo(Math.exp(-2.5), 12);
  // The last cell expects too little to stand alone.
  expect(pearsonPValue([50, 30, 30, 10], [40, 40, 39, 1])).toBeCloseTo(Math.exp(-2.5), 12);
});
