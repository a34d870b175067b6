import fc from 'fast-check';
import { expect, test } from 'vitest';
import { roundConfidence } from '../../../../coordinator/audit/epsilon/spending.ts';

const confidence = fc.double({ min: 0.5, max: 0.999, noNaN: true });

test('the first rounds at 0.95 spend 6 / pi^2, a quarter and a ninth of that', () => {
  // 0.05 / zeta(2), zeta(2) = 1.6449340668482264
  expect(1 - roundConfidence(0.95, 0)).toBeCloseTo(0.030396355092701, 12);
  expect(1 - roundConfidence(0.95, 1)).toBeCloseTo(0.007599088773175, 12);
  expect(1 - roundConfidence(0.95, 2)).toBeCloseTo(0.003377372788078, 12);
});

test('any number of rounds spends less than 1 - confidence, and many nearly all of it', () => {
  fc.assert(
    fc.property(confidence, fc.integer({ min: 1, max: 3000 }), (level, rounds) => {
      let spent = 0;
      for (let round = 0; round < rounds; round++) spent += 1 - roundConfidence(level, round);
      expect(spent).toBeLessThan(1 - level);
      // The rest of the series is between 1 / (rounds + 1) and 1 / rounds of zeta(2).
      expect(spent).toBeGreaterThan((1 - level) * (1 - 1 / rounds) - 1e-9);
    }),
    { numRuns: 40 },
  );
});

test('confidence never falls with the round and stays below 1', () => {
  fc.assert(
    fc.property(confidence, fc.nat(1_000_000_000), (level, round) => {
      const own = roundConfidence(level, round);
      expect(own).toBeGreaterThan(level);
      expect(own).toBeLessThan(1);
      expect(roundConfidence(level, round + 1)).toBeGreaterThanOrEqual(own);
    }),
  );
});

test.each([
  [0.95, -1],
  [0.95, 0.5],
  [1, 0],
  [0, 0],
  [Number.NaN, 0],
])('refuses confidence %d in round %d', (level, round) => {
  expect(() => roundConfidence(level, round)).toThrow(RangeError);
});
