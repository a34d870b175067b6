import { type Rng, takeWords } from '../random/rng.ts';
import type { AucEstimate } from './interval.ts';
import type { TieGroups } from './tie-groups.ts';

/** Makes AUCs of the same scores with the roles dealt out anew. */
export type Permutation = (rng: Rng) => AucEstimate;

/**
 * The AUC and DeLong's standard error of scores whose roles mean nothing, afresh with every call: as many members as before are
 * chosen by selection sampling (Knuth, Algorithm S), every choice equally likely to 2^-32. Takes one 32-bit number for each user.
 * Exact for fewer than 2^17 users on a side.
 */
export function permutation({ numMembers, numNonMembers, members, nonMembers }: TieGroups): Permutation {
  const sizes = members.map((count, group) => count + (nonMembers[group] ?? 0));
  const words = new Uint32Array(numMembers + numNonMembers);
  const chosen = new Int32Array(sizes.length);
  return (rng) => {
    takeWords(rng, words);
    choose(words, sizes, chosen, numMembers);
    const { places, squares, otherSquares } = placements(sizes, chosen);
    const auc = places / (numMembers * numNonMembers);
    const ofMembers = squares / numNonMembers ** 2 - numMembers * auc ** 2;
    const ofOthers = otherSquares / numMembers ** 2 - numNonMembers * (1 - auc) ** 2;
    const squaredError =
      ofMembers / (numMembers - 1) / numMembers + ofOthers / (numNonMembers - 1) / numNonMembers;
    // Below zero by rounding only; unknown where a side is a single user, as in delong.
    const isKnown = Math.min(numMembers, numNonMembers) > 1;
    return { auc, standardError: isKnown ? Math.sqrt(Math.max(0, squaredError)) : Number.NaN };
  };
}

/** How many of each tie group become members, `wanted` of all users; writes `chosen`, shape (numGroups,). */
function choose(words: Uint32Array, sizes: Int32Array, chosen: Int32Array, wanted: number): void {
  let left = words.length;
  for (let group = 0; group < sizes.length; group++) {
    const before = wanted;
    const size = sizes[group] ?? 0;
    for (let user = 0; user < size; user++, left--) wanted -= isChosen(words[left - 1] ?? 0, left, wanted);
    chosen[group] = before - wanted;
  }
}

const perWord = 2 ** -32;

/**
 * 1 when the next of `left` users is one of the `wanted` members that are still to be chosen, else 0. By the sign of an integer,
 * since a branch on a fair coin is mispredicted half the time.
 */
function isChosen(word: number, left: number, wanted: number): number {
  return (((word * left * perWord) | 0) - wanted) >>> 31;
}

/** Sums over users of how many of the other side lie below, ties counting one half: sums of quarters, exact below 2^51. */
function placements(sizes: Int32Array, chosen: Int32Array) {
  let [membersBelow, othersBelow] = [0, 0];
  let [places, squares, otherSquares] = [0, 0, 0];
  for (let group = 0; group < sizes.length; group++) {
    const members = chosen[group] ?? 0;
    const others = (sizes[group] ?? 0) - members;
    const place = othersBelow + 0.5 * others;
    const otherPlace = membersBelow + 0.5 * members;
    places += members * place;
    squares += members * place * place;
    otherSquares += others * otherPlace * otherPlace;
    membersBelow += members;
    othersBelow += others;
  }
  return { places, squares, otherSquares };
}
