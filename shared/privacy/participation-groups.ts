import { createHmac } from 'node:crypto';
import type { BandedMatrix } from './banded-matrix.ts';

/**
 * Who takes part in which round of a banded matrix mechanism. Nothing is sampled and nothing about it need be secret: the
 * promise holds for a user whose rounds are known. What it needs is that nobody takes part more often, or sooner again,
 * than the matrix allows, and that adding or removing one user moves nobody else.
 */

/** Length of the run's key in bytes. It must stay the same over the run, or users come back too soon. */
export const participationKeyBytes = 32;

/**
 * A user's group, in 0 .. minSeparation - 1: a keyed hash of her identifier and nothing else, so that it depends on no
 * other user. HMAC-SHA256 cut to its first 48 bits; no group is favoured by more than minSeparation * 2^-48.
 */
export function participationGroup(key: Uint8Array, userId: string, minSeparation: number): number {
  return createHmac('sha256', key).update(userId).digest().readUIntBE(0, 6) % minSeparation;
}

/**
 * Indices of the users who take part in a round, ascending: those whose group is the round modulo minSeparation, unless
 * they have taken part as often as the matrix allows. On average one in minSeparation does, and the public denominator is
 * the declared users over minSeparation, whoever it was.
 */
export function usersOfRound(
  userIds: readonly string[],
  options: { readonly key: Uint8Array; readonly matrix: BandedMatrix; readonly round: number },
): Int32Array {
  const { key, matrix, round } = options;
  const { minSeparation, maxParticipations, rounds } = matrix;
  if (round >= rounds || Math.floor(round / minSeparation) >= maxParticipations) return new Int32Array(0);
  const group = round % minSeparation;
  const takesPart = userIds.flatMap((userId, index) =>
    participationGroup(key, userId, minSeparation) === group ? [index] : [],
  );
  return Int32Array.from(takesPart);
}
