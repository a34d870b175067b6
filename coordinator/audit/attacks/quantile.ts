import { type Attack, momentsOf } from '../attack.ts';
import { meanByUser } from '../evidence.ts';
import { type AuditPopulation, pickedScores, recordCounts, usersWithRole } from '../population.ts';
import { normalMatrix, rowsOf, solved, times, transposedTimes } from './linear.ts';

/** Mean and logarithm of the standard deviation of a score, each linear in features: shape (numFeatures,) with the intercept. */
export interface GaussianHead {
  readonly mean: Float64Array;
  readonly logSpread: Float64Array;
}

/** On standardised features: keeps few reference users, or features that say the same, from giving huge coefficients. */
const ridge = 1;
const minReferenceUsers = 20;
const sweeps = 100;
/** Largest change of a log spread in the last sweep. */
const converged = 1e-9;
/** Bounds of the log standard deviation, in units of the reference users' own. */
const largestLogSpread = 7;
/** With more classes their shares are left out: there would be more coefficients than a fit can bear. */
const mostClasses = 20;

/**
 * Maximum-likelihood fit of score ~ N(X mean, exp(2 X logSpread)) with ridge / 2 times the squares of all coefficients but
 * the intercepts (column 0): weighted least squares for the mean and Fisher scoring for the spread, in turn. `features`
 * shape (numRows, n) row-major, `scores` shape (numRows,). Log spreads stay within 7 of 0: pass scores of unit size.
 */
export function fittedGaussian(features: Float64Array, scores: Float64Array): GaussianHead {
  const n = features.length / scores.length;
  let mean: Float64Array = new Float64Array(n);
  let logSpread = new Float64Array(n);
  const fisher = normalMatrix(features, new Float64Array(scores.length).fill(2), ridge);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const precision = times(features, logSpread).map((value) => Math.exp(-2 * bounded(value)));
    mean = solved(
      normalMatrix(features, precision, ridge),
      transposedTimes(
        features,
        scores.map((score, row) => score * (precision[row] ?? 0)),
      ),
    );
    const fitted = times(features, mean);
    const excess = scores.map((score, row) => (score - (fitted[row] ?? 0)) ** 2 * (precision[row] ?? 0) - 1);
    const gradient = transposedTimes(features, excess).map(
      (value, i) => value - (i > 0 ? ridge * (logSpread[i] ?? 0) : 0),
    );
    const step = solved(fisher, gradient);
    const largest = times(features, step).reduce((most, change) => Math.max(most, Math.abs(change)), 0);
    // Far from the optimum one step could overshoot by orders of magnitude.
    const damping = Math.min(1, 1 / Math.max(largest, 1e-300));
    logSpread = logSpread.map((value, i) => value + damping * (step[i] ?? 0));
    if (largest < converged) break;
  }
  return { mean, logSpread };
}

/**
 * Quantile regression of users (Bertran et al. 2023 with their Gaussian head): which margin would a user who did not train
 * have, given only what is public of her (record count, label composition, loss under the initial model)? The score is how
 * many standard deviations the mean margin lies above that, fitted on the reference users.
 */
export const quantile: Attack = ({ population, initial, current }) => {
  const reference = usersWithRole(population, 'reference');
  if (reference.length < minReferenceUsers)
    return { notMeasured: `${reference.length} reference users; the regression needs ${minReferenceUsers}` };
  const margin = meanByUser(population, (record) => current.margin[record] ?? 0);
  const initialLoss = meanByUser(population, (record) => initial.loss[record] ?? 0);
  const columns = publicColumns(population, initialLoss).map((column) => standardised(column, reference));
  const scores = standardised(margin, reference);
  const head = fittedGaussian(rowsOf(columns, reference), pickedScores(scores, reference));
  const all = rowsOf(
    columns,
    Int32Array.from(population.roles, (_, user) => user),
  );
  const fitted = times(all, head.mean);
  const logSpread = times(all, head.logSpread);
  return scores.map((score, user) => (score - (fitted[user] ?? 0)) / Math.exp(bounded(logSpread[user] ?? 0)));
};

/** Log record count, share of each class but the first, loss under the initial model; shape (numUsers,) each. */
function publicColumns(population: AuditPopulation, initialLoss: Float64Array): Float64Array[] {
  const { labels, numClasses } = population;
  const classes = numClasses > mostClasses ? [] : Array.from({ length: numClasses - 1 }, (_, k) => k + 1);
  return [
    Float64Array.from(recordCounts(population), (count) => Math.log(count)),
    ...classes.map((label) => meanByUser(population, (record) => (labels[record] === label ? 1 : 0))),
    initialLoss,
  ];
}

/** Mean 0 and standard deviation 1 over the reference users. */
function standardised(column: Float64Array, reference: Int32Array): Float64Array {
  const { mean, spread } = momentsOf(pickedScores(column, reference));
  return column.map((value) => (value - mean) / (spread > 0 ? spread : 1));
}

function bounded(logSpread: number): number {
  return Math.max(-largestLogSpread, Math.min(largestLogSpread, logSpread));
}
