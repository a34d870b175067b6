import type { AuditReport } from '../../shared/protocol/audit-report.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { aucInterval, aucIntervalOfEstimate } from '../../shared/stats/interval.ts';
import { permutation } from '../../shared/stats/permutation.ts';
import { normalQuantile } from '../../shared/stats/special.ts';
import { mannWhitneyPValue, nullAucVariance } from '../../shared/stats/tests.ts';
import { tieGroups } from '../../shared/stats/tie-groups.ts';

/**
 * Negative control: the audit of labels that mean nothing must find nothing. The member and held-out labels are permuted
 * 200 times over the same scores; the reported AUC and interval ends are the means over the permutations. It passes when
 * that interval covers 0.5, at least 165 of the 200 95 % intervals do, and the mean AUC is within 4.5 standard errors of
 * 0.5 (its variance under permutation is known exactly). One permutation alone would fail in 5 % of all sound audits.
 *
 * False alarm below 1e-3 (about 1e-5): 7e-6 from the mean, and P[Bin(200, c) < 165] for intervals of coverage c, which is
 * 2e-7 at c = 0.93 and 5e-5 at 0.91, less than the smallest samples show. `pause` is awaited every few of them. Throws DATA_EMPTY and NON_FINITE as rocCurve does.
 */
export async function negativeControl(
  members: Float64Array,
  heldOut: Float64Array,
  { rng, pause }: { rng: Rng; pause: () => Promise<void> },
): Promise<AuditReport['negativeControl']> {
  const groups = tieGroups(members, heldOut);
  const permuted = permutation(groups);
  let covering = 0;
  const mean = { auc: 0, low: 0, high: 0 };
  for (let number = 1; number <= permutations; number++) {
    const { auc, low, high } = aucIntervalOfEstimate(permuted(rng), groups, 0.95);
    if (low <= 0.5 && high >= 0.5) covering++;
    mean.auc += auc / permutations;
    mean.low += low / permutations;
    mean.high += high / permutations;
    if (number % stretch === 0) await pause();
  }
  const tolerance = 4.5 * Math.sqrt(nullAucVariance(groups) / permutations) + rounding;
  const coversChance = mean.low <= 0.5 && mean.high >= 0.5;
  const unbiased = Math.abs(mean.auc - 0.5) <= tolerance;
  return { ...mean, passed: coversChance && unbiased && covering >= leastCovering };
}

/**
 * Positive control: a leak that was put there must be found. The roles are dealt out evenly along the sorted scores, so that
 * nothing of the run's own leakage is left, and then every second member (every one, with fewer than 30 users on a side) gets a
 * score above all others: an AUC of 0.75 (or 1) by construction. It passes when the interval lies above 0.5 and covers that
 * AUC, and the one-sided Mann-Whitney p-value is at most 0.05. Nothing is random, so a sound audit never fails it.
 *
 * Nothing comes back with fewer than 6 users on a side, who cannot show any leak. Throws NON_FINITE as rocCurve does.
 */
export function positiveControl(
  members: Float64Array,
  heldOut: Float64Array,
): Pick<AuditReport, 'positiveControl'> {
  const fewest = Math.min(members.length, heldOut.length);
  if (fewest < fewestToShow) return {};
  const planted = plantedLeak(members, heldOut, fewest < fewestForHalf ? 1 : 2);
  const { auc, low, high } = aucInterval(planted.members, planted.heldOut, 0.95);
  const pValue = mannWhitneyPValue(planted.members, planted.heldOut);
  const { plantedAuc } = planted;
  const passed = low > 0.5 && low <= plantedAuc && plantedAuc <= high && pValue <= 0.05;
  return { positiveControl: { plantedAuc, auc, low, high, pValue, passed } };
}

const fewestToShow = 6;
const fewestForHalf = 30;

interface PlantedLeak {
  readonly members: Float64Array;
  readonly heldOut: Float64Array;
  /** Of the leak alone: those who have it win, the others win half of their pairs. */
  readonly plantedAuc: number;
}

/** Every `step`-th of the evenly dealt members gets a score above all others. */
function plantedLeak(members: Float64Array, heldOut: Float64Array, step: 1 | 2): PlantedLeak {
  const pooled = Float64Array.from([...members, ...heldOut]).sort();
  const total = pooled.length;
  const isMember = (rank: number): boolean =>
    Math.floor(((rank + 1) * members.length) / total) > Math.floor((rank * members.length) / total);
  const dealt = pooled.filter((_, rank) => isMember(rank));
  const leaking = Math.ceil(dealt.length / step);
  return {
    members: dealt.map((score, index) => (index % step === 0 ? Infinity : score)),
    heldOut: pooled.filter((_, rank) => !isMember(rank)),
    plantedAuc: (leaking + (dealt.length - leaking) / 2) / dealt.length,
  };
}

/**
 * Minimum detectable effect: the AUC that a one-sided test at `level` notices with probability 0.8, in (0.5, 1], from
 * the variance at chance (n + m + 1) / (12 n m) (Hanley and McNeil 1982). An audit says little about any leakage below it.
 */
export function minimumDetectableAuc(numMembers: number, numHeldOut: number, level = 0.05): number {
  const standardError = Math.sqrt((numMembers + numHeldOut + 1) / (12 * numMembers * numHeldOut));
  return Math.min(1, 0.5 + (normalQuantile(1 - level) + normalQuantile(0.8)) * standardError);
}

const permutations = 200;
const leastCovering = 165;
/** Permutations between two pauses. */
const stretch = 20;
/** Of adding up 200 AUCs. */
const rounding = 1e-12;
