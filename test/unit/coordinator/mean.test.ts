import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addUpdate, meanUpdate, publicDenominator } from '../../../coordinator/aggregate/mean.ts';

function sumUpdates(updates: Iterable<Int32Array>, length: number): Float64Array {
  const sum = new Float64Array(length);
  for (const update of updates) addUpdate(sum, update);
  return sum;
}

const [least, most] = [-(2 ** 31), 2 ** 31 - 1];
const updates = fc.integer({ min: 1, max: 13 }).chain((length) =>
  fc.array(
    fc
      .array(fc.integer({ min: least, max: most }), { minLength: length, maxLength: length })
      .map((values) => Int32Array.from(values)),
    { minLength: 1, maxLength: 8 },
  ),
);

describe('the sum of the sites', () => {
  test('is exact, and the same in every order of arrival', () => {
    fc.assert(
      fc.property(
        updates.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        ([all, shuffled]) => {
          const length = all[0]!.length;
          const exact = Array.from({ length }, (_, i) =>
            Number(all.reduce((sum, update) => sum + BigInt(update[i]!), 0n)),
          );
          expect([...sumUpdates(all, length)]).toEqual(exact);
          expect(sumUpdates(shuffled, length)).toEqual(sumUpdates(all, length));
        },
      ),
    );
  });

  test('is exact where float32 and int32 are long at their end', () => {
    const many = Array.from({ length: 4096 }, (_, index) =>
      Int32Array.of(most, least, index % 2 === 0 ? most : least),
    );
    expect([...sumUpdates(many, 3)]).toEqual([4096 * most, 4096 * least, -2048]);
    expect([...sumUpdates([...many, Int32Array.of(1, -1, 1)], 3)]).toEqual([
      4096 * most + 1,
      4096 * least - 1,
      -2047,
    ]);
  });

  test('adds up in parts as it does at once', () => {
    fc.assert(
      fc.property(updates, fc.nat(), (all, cut) => {
        const length = all[0]!.length;
        const at = cut % (all.length + 1);
        const [one, two] = [sumUpdates(all.slice(0, at), length), sumUpdates(all.slice(at), length)];
        expect(sumUpdates(all, length)).toEqual(one.map((value, i) => value + two[i]!));
      }),
    );
  });

  test('of nobody is zero', () => {
    expect(sumUpdates([], 2)).toEqual(Float64Array.of(0, 0));
  });

  test.each([[Int32Array.of(1)], [Int32Array.of(1, 2, 3)], [new Int32Array(0)]])(
    'refuses %j for two',
    (update) => {
      const sum = (): unknown => sumUpdates([Int32Array.of(1, 2), update], 2);
      expect(sum).toThrow(expect.objectContaining({ code: 'WRONG_SHAPE' }));
      expect(sum).toThrow(`an update has ${update.length} parameters, the model has 2`);
    },
  );
});

describe('the denominator', () => {
  test('is sampling rate times declared users: a public constant, whoever was drawn', () => {
    expect(publicDenominator(0.1, [400, 250, 350])).toBeCloseTo(100, 12);
    expect(publicDenominator(1, [17])).toBe(17);
    const declared = fc.array(fc.integer({ min: 1, max: 5_000_000 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(declared, fc.double({ min: 1e-4, max: 1, noNaN: true }), (users, rate) => {
        const denominator = publicDenominator(rate, users);
        expect(denominator / rate).toBeCloseTo(
          users.reduce((sum, count) => sum + count, 0),
          3,
        );
        expect(publicDenominator(rate, users.toReversed())).toBe(denominator);
      }),
    );
  });

  test('the mean is the sum in parameter units over it', () => {
    expect([...meanUpdate(Float64Array.of(3, -8, 0), 0.25, 5)]).toEqual([0.15, -0.4, 0]);
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
        fc.integer({ min: 1, max: 9999 }),
        (sum, users) => {
          const [mean] = meanUpdate(Float64Array.of(sum), 2 ** -16, users);
          expect(mean).toBe((sum * 2 ** -16) / users);
        },
      ),
    );
  });
});
