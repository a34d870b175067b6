import { type Attack, referenceScores } from '../attack.ts';
import { meanByUser } from '../evidence.ts';

/** Share of the way from p_out to 1 that p_in is taken to be (offline RMIA); 0.3 as published for CIFAR-10. */
const offlineA = 0.3;

/**
 * log of p_theta(x) / p(x) with the offline p(x) = ((1 + a) p_out(x) + 1 - a) / 2, a in [0, 1), for each record: shape as
 * given. `logTarget` = log p_theta(x), `meanOut` = mean of p(x) over models that did not train on x. In logs, and p(x) never
 * falls below (1 - a) / 2, so nothing overflows.
 */
export function rmiaLogRatios(logTarget: Float64Array, meanOut: Float64Array, a: number): Float64Array {
  return logTarget.map((value, index) => value - Math.log(((1 + a) * (meanOut[index] ?? 0) + 1 - a) / 2));
}

/**
 * RMIA (Zarifzadeh et al. 2024, algorithm 1): share of the population z with ratio(x) / ratio(z) >= gamma, in [0, 1], from
 * log ratios. `isInPopulation` says which x are z themselves: each is left out of its own comparison.
 */
export function rmiaScores(
  x: Float64Array,
  z: Float64Array,
  { gamma, isInPopulation }: { gamma: number; isInPopulation?: (index: number) => boolean },
): Float64Array {
  const ascending = z.toSorted();
  return x.map((ratio, index) => {
    const dominated = countAtMost(ascending, ratio - Math.log(gamma));
    if (isInPopulation?.(index) !== true) return dominated / ascending.length;
    // With gamma > 1 it does not dominate itself, and there is nothing to take away.
    return (dominated - (gamma <= 1 ? 1 : 0)) / Math.max(1, ascending.length - 1);
  });
}

/**
 * Offline RMIA of users: a user's statistic is the mean log ratio of her records, the population are the reference users,
 * gamma = 1. Models that did not train on x: the reference models, else the initial model.
 */
export const rmia: Attack = ({ population, initial, references, current }) => {
  const outModels = references.length > 0 ? references : [initial];
  const meanOut = Float64Array.from(current.loss, (_, record) => {
    const sum = outModels.reduce((total, { loss }) => total + Math.exp(-(loss[record] ?? 0)), 0);
    return sum / outModels.length;
  });
  const logTarget = Float64Array.from(current.loss, (loss) => -loss);
  const ratios = rmiaLogRatios(logTarget, meanOut, offlineA);
  const users = meanByUser(population, (record) => ratios[record] ?? 0);
  const z = referenceScores(population, users);
  if (z.length < 2)
    return { notMeasured: 'RMIA compares with reference users, and there are fewer than two' };
  const isInPopulation = (user: number): boolean => population.roles[user] === 'reference';
  return rmiaScores(users, z, { gamma: 1, isInPopulation });
};

function countAtMost(ascending: Float64Array, value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
