import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalMatrix, solved, times } from '../../../coordinator/audit/attacks/linear.ts';

/** A table of numbers with a weight for each row, and a ridge. */
const tables = fc
  .record({ rows: fc.integer({ min: 1, max: 23 }), columns: fc.integer({ min: 1, max: 9 }) })
  .chain(({ rows, columns }) => {
    const numbers = (count: number, min: number) =>
      fc
        .array(fc.double({ min, max: 3, noNaN: true }), { minLength: count, maxLength: count })
        .map((values) => Float64Array.from(values));
    return fc.record({
      columns: fc.constant(columns),
      features: numbers(rows * columns, -3),
      weights: numbers(rows, 0.1),
      ridge: fc.double({ min: 0.5, max: 20, noNaN: true }),
    });
  });

describe('the normal equations of a weighted linear model', () => {
  test('are the weighted sums of products, with the ridge on all but the intercept', () => {
    fc.assert(
      fc.property(tables, ({ columns, features, weights, ridge }) => {
        const matrix = normalMatrix(features, weights, ridge);
        for (let i = 0; i < columns; i++)
          for (let j = 0; j < columns; j++) {
            const products = Array.from(
              weights,
              (weight, row) => weight * features[row * columns + i]! * features[row * columns + j]!,
            );
            const sum = products.reduce((a, b) => a + b, i === j && i > 0 ? ridge : 0);
            expect(matrix[i * columns + j]).toBeCloseTo(sum, 9);
          }
      }),
    );
  });

  test('are solved for what they were made of', () => {
    fc.assert(
      fc.property(tables, fc.integer(), ({ columns, features, weights, ridge }, seed) => {
        // The intercept has no ridge: its column is kept from being all zeros.
        const rows = features.map((value, index) => (index % columns === 0 ? 1 : value));
        const matrix = normalMatrix(rows, weights, ridge);
        const wanted = Float64Array.from({ length: columns }, (_, index) => ((seed >> index) & 7) - 3);
        const found = solved(matrix, times(matrix, wanted));
        for (const [index, value] of wanted.entries()) expect(found[index]).toBeCloseTo(value, 6);
      }),
    );
  });
});
