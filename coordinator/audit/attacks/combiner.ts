import type { Rng } from '../../../shared/random/rng.ts';
import { shuffled } from '../../../shared/random/sample.ts';
import { momentsOf, type NotMeasured } from '../attack.ts';
import {
  type AuditPopulation,
  pickedScores,
  type Role,
  type ScoresByRole,
  usersWithRole,
} from '../population.ts';
import { normalMatrix, rowsOf, solved, times, transposedTimes } from './linear.ts';

/** Scores of the half of the audit users that the combination was not trained on. */
export interface Combined {
  readonly evaluatedOn: ScoresByRole;
}

/** Members and held-out users that each half needs. */
const minHalf = 20;
const ridge = 10;
const newtonSteps = 25;
/** Largest change of a coefficient in the last step. */
const converged = 1e-6;
/** Standardised scores beyond are cut: one user must not decide a coefficient. */
const largestScore = 6;

/**
 * One attack out of all: logistic regression on the standardised scores of the others, trained on one half of the members and
 * of the held-out users, drawn by `rng`, and evaluated on the other half only. The only attack that looks at roles, hence
 * the halves; its figures are never those of the whole population. `scores` are of shape (numUsers,) each; `pause` is
 * awaited between Newton steps.
 */
export async function combined(
  population: AuditPopulation,
  scores: readonly Float64Array[],
  { rng, pause }: { rng: Rng; pause: () => Promise<void> },
): Promise<Combined | NotMeasured> {
  const members = halves(usersWithRole(population, 'member'), rng.fork('members'));
  const heldOut = halves(usersWithRole(population, 'held-out'), rng.fork('held-out'));
  const least = Math.min(members.train.length, heldOut.train.length);
  if (least < minHalf)
    return {
      notMeasured: `half of the members or of the held-out users are ${least}; training a combination needs ${minHalf} of each`,
    };
  const train = Int32Array.from([...members.train, ...heldOut.train]);
  const columns = scores.map((column) => standardised(column, train));
  await pause();
  const target = Float64Array.from(train, (user) => (isRole(population, user, 'member') ? 1 : 0));
  const features = rowsOf(columns, train);
  await pause();
  const weights = await fittedLogistic(features, target, pause);
  const scoresOf = (users: Int32Array): Float64Array => times(rowsOf(columns, users), weights);
  return { evaluatedOn: { members: scoresOf(members.test), heldOut: scoresOf(heldOut.test) } };
}

/**
 * Ridge logistic regression by Newton's method with halved steps: coefficients, shape (n,), of `features`, shape (numRows, n)
 * with the intercept in column 0, for targets 0 or 1, shape (numRows,); minimises the sum of log losses plus 10 / 2 times
 * the squares of all coefficients but the intercept.
 */
export async function fittedLogistic(
  features: Float64Array,
  target: Float64Array,
  pause: () => Promise<void>,
): Promise<Float64Array> {
  let weights: Float64Array = new Float64Array(features.length / target.length);
  for (let step = 0; step < newtonSteps; step++) {
    const probability = times(features, weights).map((logit) => 1 / (1 + Math.exp(-logit)));
    const gradient = transposedTimes(
      features,
      target.map((value, row) => value - (probability[row] ?? 0)),
    ).map((value, i) => value - (i > 0 ? ridge * (weights[i] ?? 0) : 0));
    const curvature = normalMatrix(
      features,
      probability.map((p) => Math.max(p * (1 - p), 1e-6)),
      ridge,
    );
    const direction = solved(curvature, gradient);
    weights = descended(features, target, { weights, direction });
    await pause();
    if (direction.every((change) => Math.abs(change) < converged)) break;
  }
  return weights;
}

/** The largest of 1, 1/2, 1/4, ... of a step that does not make the objective worse. */
function descended(
  features: Float64Array,
  target: Float64Array,
  { weights, direction }: { weights: Float64Array; direction: Float64Array },
): Float64Array {
  const before = objective(features, target, weights);
  for (let share = 1; share > 1e-3; share /= 2) {
    const next = weights.map((weight, i) => weight + share * (direction[i] ?? 0));
    if (objective(features, target, next) <= before) return next;
  }
  return weights;
}

function objective(features: Float64Array, target: Float64Array, weights: Float64Array): number {
  const penalty = weights.reduce((sum, weight, i) => sum + (i > 0 ? (ridge / 2) * weight ** 2 : 0), 0);
  return times(features, weights).reduce((sum, logit, row) => {
    const signed = target[row] === 1 ? -logit : logit;
    return sum + Math.max(signed, 0) + Math.log1p(Math.exp(-Math.abs(signed)));
  }, penalty);
}

function halves(users: Int32Array, rng: Rng): { train: Int32Array; test: Int32Array } {
  const order = shuffled(rng, users.length).map((index) => users[index] ?? 0);
  const half = Math.floor(users.length / 2);
  return { train: order.slice(0, half), test: order.slice(half) };
}

function isRole({ roles }: AuditPopulation, user: number, role: Role): boolean {
  return roles[user] === role;
}

function standardised(column: Float64Array, train: Int32Array): Float64Array {
  const { mean, spread } = momentsOf(pickedScores(column, train));
  return column.map((value) => {
    const score = (value - mean) / (spread > 0 ? spread : 1);
    return Math.max(-largestScore, Math.min(largestScore, score));
  });
}
