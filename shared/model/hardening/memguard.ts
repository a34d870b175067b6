import type { Rng } from '../../random/rng.ts';
import { type Answer, firstLargest, softmax } from './answer.ts';
import { attackLogit, type SurrogateAttack } from './surrogate.ts';

/** What MemGuard is told. */
interface MemGuard {
  readonly surrogate: SurrogateAttack;
  /** Most L1 distance between the answer given and the model's own, on average over the coin. */
  readonly budget: number;
}

/** The authors' settings: descent steps of one search, length of a step, weight of the label's place. */
const search = {
  steps: 300,
  stepLength: 0.1,
  labelWeight: 10,
  distortionWeights: [0.1, 1, 10, 100],
} as const;

/**
 * MemGuard (Jia, Salem, Backes, Zhang and Gong 2019). Phase 1 seeks, in logits, an answer with the same label on which the surrogate
 * attack cannot decide, near the model's own. Phase 2 gives it with the probability that keeps the average distortion within the
 * budget, else the model's own. An answer that the surrogate finds no more undecided, or whose label would change, is never given.
 */
export function guarded(answer: Answer, { surrogate, budget }: MemGuard, rng: Rng): Answer {
  const coin = rng.uniform();
  const found = undecided(answer, surrogate);
  if (found === undefined) return answer;
  const distortion = distance(found, answer.probabilities);
  const probability = distortion <= budget ? 1 : budget / distortion;
  return coin < probability ? { label: answer.label, probabilities: found } : answer;
}

/** L1 distance of two answers, in [0, 2]. */
export function distance(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0);
}

/** What a search came to: the last answer on which the attack was less sure, and whether its verdict turned. */
interface Found {
  readonly probabilities: Float64Array | undefined;
  readonly turned: boolean;
}

/** The answer found with the largest weight on the distortion that still turns the verdict; else what the first search came to. */
function undecided(answer: Answer, surrogate: SurrogateAttack): Float64Array | undefined {
  let best: Float64Array | undefined;
  for (const weight of search.distortionWeights) {
    const { probabilities, turned } = seek(answer, surrogate, weight);
    if (!turned) return best ?? probabilities;
    best = probabilities;
  }
  return best;
}

/**
 * Descends |logit of the attack| + labelWeight * (largest other logit - the label's, if positive) + `distortionWeight` * L1 distance,
 * until the attack's verdict has turned while the label has not.
 */
function seek({ label, probabilities }: Answer, surrogate: SurrogateAttack, distortionWeight: number): Found {
  const logits = probabilities.map((p) => Math.log(Math.max(p, smallest)));
  const initial = attackLogit(surrogate, probabilities).logit;
  let found: Float64Array | undefined;
  for (let step = 0; step < search.steps; step++) {
    const current = softmax(logits);
    const { logit, gradient } = attackLogit(surrogate, current);
    const keepsLabel = isLargest(current, label);
    if (keepsLabel && Math.abs(logit) < Math.abs(initial)) found = current;
    if (keepsLabel && logit * initial <= 0) return { probabilities: found, turned: true };
    const slope = byProbabilities(current, (j) => {
      const apart = Math.sign((current[j] ?? 0) - (probabilities[j] ?? 0));
      return Math.sign(logit) * (gradient[j] ?? 0) + distortionWeight * apart;
    });
    pushLabel(logits, slope, label);
    if (!move(logits, slope)) break;
  }
  return { probabilities: found, turned: false };
}

const smallest = 1e-30;

/** Derivative by the logits from the one by the probabilities. */
function byProbabilities(current: Float64Array, slopeAt: (j: number) => number): Float64Array {
  const slopes = current.map((_, j) => slopeAt(j));
  const mean = slopes.reduce((sum, slope, j) => sum + slope * (current[j] ?? 0), 0);
  return slopes.map((slope, j) => (current[j] ?? 0) * (slope - mean));
}

/** Adds the derivative of the label's place where another logit is as large. */
function pushLabel(logits: Float64Array, slope: Float64Array, label: number): void {
  const others = logits.map((value, j) => (j === label ? -Infinity : value));
  const rival = firstLargest(others);
  if ((others[rival] ?? -Infinity) < (logits[label] ?? 0)) return;
  slope[label] = (slope[label] ?? 0) - search.labelWeight;
  slope[rival] = (slope[rival] ?? 0) + search.labelWeight;
}

/** One step of fixed length downhill; false where there is no slope. */
function move(logits: Float64Array, slope: Float64Array): boolean {
  const norm = Math.hypot(...slope);
  if (!(norm > 0)) return false;
  for (const [j, value] of slope.entries()) logits[j] = (logits[j] ?? 0) - (search.stepLength * value) / norm;
  return true;
}

/** Whether the label's probability is above every other, so that nobody can break a tie another way. */
function isLargest(values: Float64Array, label: number): boolean {
  return values.every((value, j) => j === label || value < (values[label] ?? 0));
}
