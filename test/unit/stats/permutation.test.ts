import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { delong } from '../../../shared/stats/interval.ts';
import { permutation } from '../../../shared/stats/permutation.ts';
import { tieGroups } from '../../../shared/stats/tie-groups.ts';
import { Seed } from '../../../shared/units.ts';

const score = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(-1, 0, 1));
const sample = fc.array(score, { minLength: 1, maxLength: 40 }).map((scores) => Float64Array.from(scores));
const stream = (seed: number): Rng => seededRng(Seed.parse(seed));

/** The pooled scores in ascending order, with the roles dealt out one by one. */
function dealt(pooled: Float64Array, numMembers: number, rng: Rng): [Float64Array, Float64Array] {
  const [members, others]: [number[], number[]] = [[], []];
  const words = Array.from(pooled, () => rng.uint32()).reverse();
  for (const [place, value] of pooled.entries()) {
    const share = (numMembers - members.length) / (pooled.length - place);
    (words[place]! / 2 ** 32 < share ? members : others).push(value);
  }
  return [Float64Array.from(members), Float64Array.from(others)];
}

test('is the AUC and the standard error of roles dealt out anew', () => {
  fc.assert(
    fc.property(sample, sample, fc.integer({ min: 1, max: 1e6 }), (members, others, seed) => {
      const permuted = permutation(tieGroups(members, others));
      const pooled = Float64Array.from([...members, ...others]).sort();
      const [rng, same] = [stream(seed), stream(seed)];
      for (let repeat = 0; repeat < 3; repeat++) {
        const got = permuted(rng);
        const want = delong(...dealt(pooled, members.length, same));
        expect(got.auc).toBeCloseTo(want.auc, 12);
        if (Math.min(members.length, others.length) === 1) expect(got.standardError).toBeNaN();
        else expect(got.standardError).toBeCloseTo(want.standardError, 6);
      }
    }),
  );
});

test('every choice of members is equally likely', () => {
  const permuted = permutation(tieGroups(Float64Array.of(1, 2), Float64Array.of(3, 4, 5)));
  const rng = stream(11);
  const counts = new Map<number, number>();
  for (let repeat = 0; repeat < 20_000; repeat++) {
    const { auc } = permuted(rng);
    counts.set(auc, (counts.get(auc) ?? 0) + 1);
  }
  // Of the ten choices two each have the rank sums 5, 6 and 7, and one each 3, 4, 8 and 9.
  const ways = [1, 1, 2, 2, 2, 1, 1];
  const chi = ways.reduce((sum, number, rank) => {
    const expected = number * 2000;
    return sum + ((counts.get(rank / 6) ?? 0) - expected) ** 2 / expected;
  }, 0);
  // Chi-square with 6 degrees of freedom: above 27.9 once in ten thousand.
  expect(chi).toBeLessThan(27.9);
});
