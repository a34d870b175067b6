import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epsilonLowerBound } from '../../../../coordinator/audit/epsilon/clopper-pearson-bound.ts';
import vectors from '../../../vectors/epsilon-bounds.json' with { type: 'json' };

const counts = fc
  .record({ nonMembers: fc.nat(300), members: fc.nat(300), fpr: fc.nat(1000), fnr: fc.nat(1000) })
  .map(({ nonMembers, members, fpr, fnr }) => ({
    nonMembers,
    members,
    falsePositives: Math.round((nonMembers * fpr) / 1000),
    falseNegatives: Math.round((members * fnr) / 1000),
  }));
const options = fc.record({
  delta: fc.double({ min: 0, max: 0.3, noNaN: true }),
  confidence: fc.double({ min: 0.5, max: 0.999, noNaN: true }),
});

describe('epsilonLowerBound', () => {
  test.each(vectors.clopperPearson)(
    'is $epsilon for $falsePositives of $nonMembers and $falseNegatives of $members (SciPy)',
    ({ epsilon, delta, confidence, ...errors }) => {
      expect(Math.abs(epsilonLowerBound(errors, { delta, confidence }) - epsilon)).toBeLessThan(1e-9);
    },
  );

  test('is never negative and never above what the sample sizes can show', () => {
    fc.assert(
      fc.property(counts, options, (errors, { delta, confidence }) => {
        const bound = epsilonLowerBound(errors, { delta, confidence });
        const smallest = (trials: number): number => 1 - ((1 - confidence) / 2) ** (1 / Math.max(1, trials));
        const limit = -Math.log(Math.min(smallest(errors.nonMembers), smallest(errors.members)));
        expect(bound).toBeGreaterThanOrEqual(0);
        expect(bound).toBeLessThanOrEqual(limit + 1e-9);
      }),
    );
  });

  test('falls with delta, with confidence and with every further error', () => {
    fc.assert(
      fc.property(counts, options, ({ falsePositives, falseNegatives, ...sizes }, { delta, confidence }) => {
        const bound = (fp: number, fn: number, at = { delta, confidence }): number =>
          epsilonLowerBound({ ...sizes, falsePositives: fp, falseNegatives: fn }, at);
        fc.pre(falsePositives < sizes.nonMembers && falseNegatives < sizes.members);
        const own = bound(falsePositives, falseNegatives);
        expect(bound(falsePositives, falseNegatives, { delta: delta + 0.1, confidence })).toBeLessThanOrEqual(
          own,
        );
        const surer = { delta, confidence: (1 + confidence) / 2 };
        expect(bound(falsePositives, falseNegatives, surer)).toBeLessThanOrEqual(own + 1e-12);
        expect(bound(falsePositives + 1, falseNegatives)).toBeLessThanOrEqual(own + 1e-12);
        expect(bound(falsePositives, falseNegatives + 1)).toBeLessThanOrEqual(own + 1e-12);
      }),
    );
  });

  test('does not change when members and non-members exchange names', () => {
    fc.assert(
      fc.property(counts, options, (errors, at) => {
        const exchanged = {
          falsePositives: errors.falseNegatives,
          nonMembers: errors.members,
          falseNegatives: errors.falsePositives,
          members: errors.nonMembers,
        };
        expect(epsilonLowerBound(exchanged, at)).toBe(epsilonLowerBound(errors, at));
      }),
    );
  });

  test('is 0 without a sample on a side', () => {
    const none = { falsePositives: 0, nonMembers: 0, falseNegatives: 0, members: 500 };
    expect(epsilonLowerBound(none, { delta: 0, confidence: 0.95 })).toBe(0);
  });

  test.each([
    [{ falsePositives: 3, nonMembers: 2, falseNegatives: 0, members: 2 }, 1e-5, 0.95],
    [{ falsePositives: 0, nonMembers: 2, falseNegatives: -1, members: 2 }, 1e-5, 0.95],
    [{ falsePositives: 0, nonMembers: 2.5, falseNegatives: 0, members: 2 }, 1e-5, 0.95],
    [{ falsePositives: 0, nonMembers: 2, falseNegatives: 0, members: Number.NaN }, 1e-5, 0.95],
    [{ falsePositives: 0, nonMembers: 2, falseNegatives: 0, members: 2 }, Number.NaN, 0.95],
    [{ falsePositives: 0, nonMembers: 2, falseNegatives: 0, members: 2 }, 1, 0.95],
    [{ falsePositives: 0, nonMembers: 2, falseNegatives: 0, members: 2 }, 0, 1],
  ])('refuses %j at delta %d and confidence %d', (errors, delta, confidence) => {
    expect(() => epsilonLowerBound(errors, { delta, confidence })).toThrow(RangeError);
  });
});
