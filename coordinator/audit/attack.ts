import type { Evidence } from './evidence.ts';
import { type AuditPopulation, pickedScores, usersWithRole } from './population.ts';

/** Why an attack has no scores: it is reported as not measured, never as a constant score that looks like chance. */
export interface NotMeasured {
  readonly notMeasured: string;
}

/** One score per user, shape (numUsers,), larger = more likely member; or why there is none. */
export type Scores = Float64Array | NotMeasured;

/**
 * An attack: a pure function of the evidence that never looks at who is a member or held out; those roles evaluate it
 * afterwards. Reference users, who never train, may calibrate it.
 */
export type Attack = (evidence: Evidence) => Scores;

/** Whether an attack has scores. */
export function isMeasured(scores: Scores): scores is Float64Array {
  return scores instanceof Float64Array;
}

/**
 * Gives users of whom an attack cannot say anything the median score of the reference users of whom it can: neither member
 * nor not. `isKnown` says of each user, shape (numUsers,), whether the score means anything.
 */
export function withNeutral(
  population: AuditPopulation,
  scores: Float64Array,
  isKnown: readonly boolean[],
): Scores {
  if (isKnown.every(Boolean)) return scores;
  const reference = scores.filter(
    (_, user) => isKnown[user] === true && population.roles[user] === 'reference',
  );
  if (reference.length === 0)
    return {
      notMeasured: 'some users have no score of their own, and no reference user has one to stand for them',
    };
  const ascending = reference.toSorted();
  const middle = (ascending.length - 1) / 2;
  const median = ((ascending[Math.floor(middle)] ?? 0) + (ascending[Math.ceil(middle)] ?? 0)) / 2;
  return scores.map((score, user) => (isKnown[user] === true ? score : median));
}

/** Scores of the reference users, in user order. */
export function referenceScores(population: AuditPopulation, scores: Float64Array): Float64Array {
  return pickedScores(scores, usersWithRole(population, 'reference'));
}

/** Mean and standard deviation (0 for fewer than two values). */
export function momentsOf(values: Float64Array): { readonly mean: number; readonly spread: number } {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  const mean = sum / values.length;
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += ((values[i] ?? 0) - mean) ** 2;
  return { mean, spread: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) };
}
