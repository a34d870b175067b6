import { type Rng, takeWords } from '../random/rng.ts';
import type { AucEstimate } from './interval.ts';
import type { TieGroups } from './tie-groups.ts';

/** A power in a loop is computed each time. */
const wordRange = 2 ** 32;

/** Makes AUCs of the same scores with the roles dealt out anew. */
export type Permutation = (rng: Rng) => AucEstimate;

/**
 * The AUC and DeLong's standard error of scores whose roles mean nothing, afresh with every call: as many members as before are
 * chosen by selection sampling (Knuth, Algorithm S), every choice equally likely to 2^-32, and both figures are computed on the
 * way. Takes one 32-bit number for each user. Exact for fewer than 2^17 users on a side.
 */
export function permutation({ numMembers, numNonMembers, members, nonMembers }: TieGroups): Permutation {
  const tied = members.map((count, group) => count + (nonMembers[group] ?? 0));
  const words = new Uint32Array(numMembers + numNonMembers);
  return (rng) => {
    takeWords(rng, words);
    // Placements are counted in half users, so that all sums are of integers.
    let [above, below, left] = [numMembers, 0, words.length];
    let [places, squares, otherSquares] = [0, 0, 0];
    for (let group = 0; group < tied.length; group++) {
      const size = tied[group] ?? 0;
      const [membersBelow, othersBelow] = [numMembers - above, below];
      for (let user = 0; user < size; user++, left--) {
        if ((words[left - 1] ?? 0) * left < above * wordRange) above--;
        else below++;
      }
      const [chosen, others] = [numMembers - above - membersBelow, below - othersBelow];
      if (chosen > 0) {
        const place = 2 * othersBelow + others;
        places += chosen * place;
        squares += chosen * place * place;
      }
      if (others > 0) otherSquares += others * (2 * membersBelow + chosen) ** 2;
    }
    const auc = places / (2 * numMembers * numNonMembers);
    const ofMembers = squares / (4 * numNonMembers ** 2) - numMembers * auc ** 2;
    const ofOthers = otherSquares / (4 * numMembers ** 2) - numNonMembers * (1 - auc) ** 2;
    const squaredError =
      ofMembers / (numMembers - 1) / numMembers + ofOthers / (numNonMembers - 1) / numNonMembers;
    // Below zero by rounding only; unknown where a side is a single user, as in delong.
    const isKnown = Math.min(numMembers, numNonMembers) > 1;
    return { auc, standardError: isKnown ? Math.sqrt(Math.max(0, squaredError)) : Number.NaN };
  };
}
