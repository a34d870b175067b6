import { ascending } from '../../shared/stats/ascending.ts';

/**
 * Conformal p-value of each score against known non-members of its group: (1 + number of reference scores at or above it)
 * / (reference.length + 1), in (0, 1]; shape (scores.length,). If a user is a non-member too, exchangeable with the
 * reference, the p-value is at most a with probability at most a; ties count against the attack. The Mann-Whitney test of
 * a group is the test on the sum of its members' p-values.
 */
export function conformalPValues(scores: Float64Array, reference: Float64Array): Float64Array {
  const inOrder = ascending(reference);
  return scores.map((score) => conformalPValue(score, inOrder));
}

/** The same of one score, against a reference in ascending order. */
export function conformalPValue(score: number, reference: Float64Array): number {
  return (1 + atOrAbove(reference, score)) / (reference.length + 1);
}

/** How many of some ascending scores are at or above a score. */
export function atOrAbove(inOrder: Float64Array, score: number): number {
  let low = 0;
  let high = inOrder.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((inOrder[middle] ?? 0) < score) low = middle + 1;
    else high = middle;
  }
  return inOrder.length - low;
}
