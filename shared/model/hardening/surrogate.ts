import { z } from 'zod';
import type { Rng } from '../../random/rng.ts';
import { descending } from './answer.ts';

/**
 * An attack on answers, as data: one hidden layer of tanh units on the probabilities from the largest to the smallest. Its
 * logit is positive where it takes the record for a member's.
 */
export const SurrogateAttack = z.strictObject({
  /** Shape (hidden, numClasses), rows. */
  weights: z.array(z.array(z.number())).min(1),
  biases: z.array(z.number()).min(1),
  outputWeights: z.array(z.number()).min(1),
  outputBias: z.number(),
});
export type SurrogateAttack = z.infer<typeof SurrogateAttack>;

/** Logit of one answer and its derivative by the probabilities, shape (numClasses,), in the answer's own order. */
export function attackLogit(
  { weights, biases, outputWeights, outputBias }: SurrogateAttack,
  probabilities: Float64Array,
): { readonly logit: number; readonly gradient: Float64Array } {
  const order = descending(probabilities, 0);
  const gradient = new Float64Array(probabilities.length);
  let logit = outputBias;
  for (const [unit, row] of weights.entries()) {
    const sum = order.reduce((total, j, rank) => total + (row[rank] ?? 0) * (probabilities[j] ?? 0), 0);
    const value = Math.tanh(sum + (biases[unit] ?? 0));
    const weight = outputWeights[unit] ?? 0;
    logit += weight * value;
    for (const [rank, j] of order.entries())
      gradient[j] = (gradient[j] ?? 0) + weight * (1 - value * value) * (row[rank] ?? 0);
  }
  return { logit, gradient };
}

/** How a surrogate is trained: plain descent of the logistic loss over all answers at once. */
interface SurrogateTraining {
  readonly hidden: number;
  readonly steps: number;
  readonly learningRate: number;
}

/** Enough for probabilities, which are all within [0, 1]. */
const surrogateDefaults: SurrogateTraining = { hidden: 8, steps: 400, learningRate: 2 };

/**
 * Train a surrogate on the answers of people who are outside the promise: audit users that were members and held out, or public
 * ones. Both groups weigh the same.
 */
export function trainSurrogate(
  answers: { readonly members: readonly Float64Array[]; readonly heldOut: readonly Float64Array[] },
  rng: Rng,
  { hidden, steps, learningRate }: SurrogateTraining = surrogateDefaults,
): SurrogateAttack {
  const { members, heldOut } = answers;
  const groups = [
    [members, 1],
    [heldOut, 0],
  ] as const;
  const numClasses = members[0]?.length ?? heldOut[0]?.length ?? 0;
  const start = (length: number): number[] => Array.from({ length }, () => rng.uniform() - 0.5);
  const attack = {
    weights: Array.from({ length: hidden }, () => start(numClasses)),
    biases: start(hidden),
    outputWeights: start(hidden),
    outputBias: 0,
  };
  for (let step = 0; step < steps; step++) {
    const moved = structuredClone(attack);
    for (const [answers, target] of groups) {
      const rate = learningRate / (2 * answers.length);
      for (const answer of answers) descend(attack, moved, answer, { rate, target });
    }
    Object.assign(attack, moved);
  }
  return attack;
}

/** One answer's share of a step, from the attack as it was; `moved` is changed in place. */
function descend(
  attack: SurrogateAttack,
  moved: SurrogateAttack,
  answer: Float64Array,
  { rate, target }: { readonly rate: number; readonly target: 0 | 1 },
): void {
  const sorted = descending(answer, 0).map((j) => answer[j] ?? 0);
  const pull = rate * (target - 1 / (1 + Math.exp(-attackLogit(attack, answer).logit)));
  moved.outputBias += pull;
  for (const [unit, row] of attack.weights.entries()) {
    const sum = row.reduce((total, weight, rank) => total + weight * (sorted[rank] ?? 0), 0);
    const value = Math.tanh(sum + (attack.biases[unit] ?? 0));
    const down = pull * (attack.outputWeights[unit] ?? 0) * (1 - value * value);
    moved.outputWeights[unit] = (moved.outputWeights[unit] ?? 0) + pull * value;
    moved.biases[unit] = (moved.biases[unit] ?? 0) + down;
    const to = moved.weights[unit] ?? [];
    for (const [rank, probability] of sorted.entries()) to[rank] = (to[rank] ?? 0) + down * probability;
  }
}
