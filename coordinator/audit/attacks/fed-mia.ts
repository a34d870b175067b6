import { ParleyError } from '../../../shared/errors.ts';
import { normalCdf } from '../../../shared/stats/special.ts';

/** One measurement for each round, site and user: only where sites' own updates are seen, as in a simulation. */
export interface SiteMeasures {
  /**
   * Shape (numRounds, numSites, numUsers) row-major: the cosine between a user's gradient and a site's update, or the user's
   * loss under a site's model.
   */
  readonly values: Float64Array;
  readonly numRounds: number;
  readonly numSites: number;
  readonly mode: 'cosine' | 'loss';
}

/** Added to the variance, as in the published code. */
const varianceFloor = 1e-8;

/**
 * FedMIA (algorithms D8): how far the measure of site `site` lies on the member side of the other sites' in each round, as
 * the normal distribution function of (measure - mean) / sqrt(variance + 1e-8), averaged over rounds; shape (numUsers,), in
 * [0, 1]. Losses enter with a minus. In cosine mode others above their mean + 3 standard deviations are dropped first: they
 * may hold the same records. (Among n others none can lie beyond sqrt(n - 1) of them: the filter needs more than ten.)
 *
 * @throws DATA_EMPTY with fewer than three sites, of whom two others make a distribution, or without a round.
 */
export function fedMiaScore(measures: SiteMeasures, site: number): Float64Array {
  const { values, numRounds, numSites, mode } = measures;
  if (numSites < 3 || numRounds < 1)
    throw new ParleyError(
      'DATA_EMPTY',
      `FedMIA compares a site with at least two others over at least one round; there are ${numSites} sites and ${numRounds} rounds`,
    );
  const numUsers = values.length / (numRounds * numSites);
  const score = new Float64Array(numUsers);
  const sign = mode === 'loss' ? -1 : 1;
  const at = (round: number, from: number, user: number): number =>
    sign * (values[(round * numSites + from) * numUsers + user] ?? Number.NaN);
  const sites = Array.from({ length: numSites }, (_, index) => index);
  for (let round = 0; round < numRounds; round++)
    for (let user = 0; user < numUsers; user++) {
      const others = sites.filter((other) => other !== site).map((other) => at(round, other, user));
      const { mean, variance } = moments(mode === 'cosine' ? withoutCoOwners(others) : others);
      const distance = (at(round, site, user) - mean) / Math.sqrt(variance + varianceFloor);
      score[user] = (score[user] ?? 0) + normalCdf(distance) / numRounds;
    }
  return score;
}

function withoutCoOwners(values: readonly number[]): readonly number[] {
  const { mean, variance } = moments(values);
  return values.filter((value) => value <= mean + 3 * Math.sqrt(variance));
}

function moments(values: readonly number[]): { mean: number; variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, variance };
}
