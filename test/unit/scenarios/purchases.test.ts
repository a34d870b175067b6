import fc from 'fast-check';
import { expect, test } from 'vitest';
import { purchaseTable, receiptColumns } from '../../../scenarios/data/purchases.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const rng = seededRng(Seed.parse(1));
const tableOf = (rows: readonly (readonly string[])[]) => ({ source: 'r.csv', header: receiptColumns, rows });

test('a basket is what one household bought in one quarter, each category once', () => {
  const rows = [
    ['h', '2017-01-28 14:06:53', 'SOUP'],
    ['h', '2017-03-31 23:59:59', 'BEEF'],
    ['h', '2017-04-01 00:00:00', 'SOUP'],
    ['g', '2017-12-31 10:00:00', ''],
    ['g', '2017-12-31 10:00:00', 'CHEESE'],
    ['h', '2017-02-01 10:00:00', 'SOUP'],
  ];
  const table = purchaseTable({ table: tableOf(rows), classes: 2, rng });
  expect(table.header).toEqual(['household_id', 'quarter', 'categories', 'class']);
  expect(table.rows.map((row) => row.slice(0, 3))).toEqual([
    ['h', '1', 'BEEF|SOUP'],
    ['h', '2', 'SOUP'],
    ['g', '4', 'CHEESE'],
  ]);
});

test('baskets of groups that share nothing are told apart as by k-means, for any baskets', () => {
  // Two groups without a common category: whoever starts with one centre in each must never mix them.
  const group = (prefix: string) =>
    fc
      .array(fc.subarray(['1', '2', '3'], { minLength: 1 }), { minLength: 1, maxLength: 6 })
      .map((sets) => sets.map((set) => set.map((name) => `${prefix}${name}`)));
  fc.assert(
    fc.property(group('a'), group('b'), (a, b) => {
      const sets = [...a, ...b];
      const rows = sets.flatMap((set, household) =>
        set.map((category) => [String(household), '2017-01-01 00:00:00', category]),
      );
      const { rows: baskets } = purchaseTable({ table: tableOf(rows), classes: sets.length, rng });
      const kindOf = new Map(baskets.map(([household, , , kind]) => [household, kind]));
      // As many centres as baskets, each starting at one: only equal baskets may share a class in the end.
      sets.forEach((set, one) => {
        sets.forEach((other, two) => {
          const alike = set.join() === other.join();
          if (alike) expect(kindOf.get(String(one))).toBe(kindOf.get(String(two)));
          if (set[0]?.[0] !== other[0]?.[0])
            expect(kindOf.get(String(one))).not.toBe(kindOf.get(String(two)));
        });
      });
    }),
  );
});

test('the same stream gives the same classes', () => {
  const rows = Array.from({ length: 40 }, (_, index) => [
    String(index),
    '2017-05-05 00:00:00',
    `C${(index * 7) % 11}`,
  ]);
  const of = (fork: string) => purchaseTable({ table: tableOf(rows), classes: 5, rng: rng.fork(fork) }).rows;
  expect(of('x')).toEqual(of('x'));
  expect(of('x')).not.toEqual(of('y'));
});
