import fc from 'fast-check';
import { expect, test } from 'vitest';
import { selectCohort } from '../../../coordinator/cohort.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed, SiteId } from '../../../shared/units.ts';

const rngOf = (seed: number): ReturnType<typeof seededRng> => seededRng(Seed.parse(seed));
const seeds = fc.integer({ min: 1, max: 99_999 });
const presence = fc
  .uniqueArray(fc.stringMatching(/^[a-z0-9]{1,6}$/), { maxLength: 12 })
  .map((names) => names.map((name) => SiteId.parse(name)));

test('a cohort is of the size asked for, of sites that are present, each once, sorted', () => {
  fc.assert(
    fc.property(presence, fc.integer({ min: 1, max: 14 }), seeds, (present, size, seed) => {
      const before = [...present];
      const cohort = selectCohort(present, size, rngOf(seed));
      expect(cohort).toHaveLength(Math.min(size, present.length));
      expect(cohort.every((site) => present.includes(site))).toBe(true);
      expect(cohort).toEqual([...new Set(cohort)].sort());
      expect(present).toEqual(before);
    }),
  );
});

test('all means all, and nobody means nobody', () => {
  fc.assert(
    fc.property(presence, seeds, (present, seed) => {
      expect(selectCohort(present, 'all', rngOf(seed))).toEqual(present.toSorted());
    }),
  );
  expect(selectCohort([], 3, rngOf(1))).toEqual([]);
});

test('does not depend on the order in which sites connected', () => {
  fc.assert(
    fc.property(presence, fc.integer({ min: 1, max: 6 }), seeds, (present, size, seed) => {
      const [one, two] = [rngOf(seed), rngOf(seed)];
      expect(selectCohort(present.toReversed(), size, one)).toEqual(selectCohort(present, size, two));
    }),
  );
});

test('every pair of sites is chosen at some time', () => {
  const present = ['a', 'b', 'c', 'd'].map((name) => SiteId.parse(name));
  // A pair is missed by 200 uniform choices among six with probability 1e-15.
  const chosen = Array.from({ length: 200 }, (_, index) => selectCohort(present, 2, rngOf(index + 1)).join());
  expect([...new Set(chosen)].sort()).toEqual(['a,b', 'a,c', 'a,d', 'b,c', 'b,d', 'c,d']);
});
