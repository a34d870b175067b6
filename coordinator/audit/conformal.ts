/**
 * Conformal p-value of each score against known non-members of its group: (1 + number of reference scores at or above it)
 * / (reference.length + 1), in (0, 1]; shape (scores.length,). If a user is a non-member too, exchangeable with the
 * reference, the p-value is at most a with probability at most a; ties count against the attack. The Mann-Whitney test of
 * a group is the test on the sum of its members' p-values.
 */
export function conformalPValues(scores: Float64Array, reference: Float64Array): Float64Array {
  const ascending = reference.toSorted();
  return scores.map((score) => (1 + atOrAbove(ascending, score)) / (reference.length + 1));
}

/** How many of some ascending scores are at or above a score. */
export function atOrAbove(ascending: Float64Array, score: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < score) low = middle + 1;
    else high = middle;
  }
  return ascending.length - low;
}
