import type { Rng } from '../../random/rng.ts';
import { shuffled } from '../../random/sample.ts';

/**
 * Which of so many groups each of `numUsers` users is in: disjoint, covering, sizes that differ by one at most, and none empty
 * where there are as many users as groups. Shape (numUsers,).
 */
export function disjointGroups(numUsers: number, numGroups: number, rng: Rng): Int32Array {
  const groups = new Int32Array(numUsers);
  for (const [place, user] of shuffled(rng, numUsers).entries()) groups[user] = place % numGroups;
  return groups;
}

/**
 * For each user the `nonMemberOf` of `submodels` submodels that do not train on her, ascending; each from the user's own stream, so that
 * nobody's depend on who else is there.
 */
export function nonMemberships(
  userIds: readonly string[],
  { submodels, nonMemberOf }: { readonly submodels: number; readonly nonMemberOf: number },
  rng: Rng,
): Int32Array[] {
  return userIds.map((id) =>
    shuffled(rng.fork(`user/${id}`), submodels)
      .slice(0, nonMemberOf)
      .sort(),
  );
}
