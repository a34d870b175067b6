import type { Advantage, GroupResult } from '../../shared/protocol/audit-report.ts';
import { ascending } from '../../shared/stats/ascending.ts';
import { aucIntervalOfTieGroups, clopperPearson, tprOfRoc } from '../../shared/stats/interval.ts';
import { rocOfTieGroups } from '../../shared/stats/roc.ts';
import type { TieGroups } from '../../shared/stats/tie-groups.ts';
import { conformalPValue } from './conformal.ts';
import { minimumDetectableAuc } from './controls.ts';
import type { ScoresByRole } from './population.ts';

type Tested = Extract<GroupResult, { status: 'tested' }>;

/** What a group's figures are made of. */
export interface GroupScores {
  /** In ascending order: sorting is most of what a group costs, so it is done once. */
  readonly sorted: ScoresByRole;
  readonly tieGroups: TieGroups;
  /** Held-out users in roster order. */
  readonly heldOut: Float64Array;
  /** Adjusted. */
  readonly pValue: number;
  readonly numTested: number;
}

/** The figures of a testable group from its scores, larger = more likely member; intervals as in subpopulationAttack. */
export function groupFigures(
  { sorted, tieGroups, heldOut, pValue, numTested }: GroupScores,
  options: { readonly fprs: readonly number[]; readonly level: number },
): Omit<Tested, 'status' | 'column' | 'value'> {
  const level = 1 - (1 - options.level) / numTested;
  const { members } = sorted;
  const advantage = advantageAt(members, heldOut);
  const roc = rocOfTieGroups(tieGroups);
  return {
    members: members.length,
    heldOut: heldOut.length,
    ...aucIntervalOfTieGroups(tieGroups, level),
    pValue,
    rejected: pValue <= 1 - options.level,
    tprAtFpr: options.fprs.map((fpr) => tprOfRoc(roc, fpr, options.level)),
    conformal: { smallest: pValueOfRank(sorted, 0), median: pValueOfRank(sorted, (members.length - 1) >> 1) },
    ...(advantage && { advantage }),
    minimumDetectableAuc: minimumDetectableAuc(members.length, heldOut.length, 1 - level),
  };
}

/** The conformal p-value that so many members stay below: the higher a score, the smaller its p-value. */
function pValueOfRank({ members, heldOut }: ScoresByRole, rank: number): number {
  return conformalPValue(members.at(-1 - rank) ?? Number.NEGATIVE_INFINITY, heldOut);
}

const advantageFpr = 0.1;

/**
 * TPR - FPR with its 95 % interval. Every second held-out user, in roster order, fixes the threshold: the lowest at which a user
 * like them is accused with probability at most 0.1 (split conformal). The others measure the FPR, so the threshold is fixed in
 * advance for them and for the members. Undefined where the first half has fewer than nine users, which allows no threshold.
 */
export function advantageAt(members: Float64Array, heldOut: Float64Array): Advantage | undefined {
  const calibration = ascending(everySecond(heldOut, 0));
  const evaluation = everySecond(heldOut, 1);
  const allowed = Math.floor(advantageFpr * (calibration.length + 1) + 1e-9);
  const threshold = allowed > 0 ? calibration.at(-allowed) : undefined;
  if (threshold === undefined) return undefined;
  const [hits, alarms] = [numAbove(members, threshold), numAbove(evaluation, threshold)];
  const [found, wrong] = [
    clopperPearson(hits, members.length, 0.975),
    clopperPearson(alarms, evaluation.length, 0.975),
  ];
  const [tpr, fpr] = [hits / members.length, alarms / evaluation.length];
  return { tpr, fpr, advantage: tpr - fpr, low: found.low - wrong.high, high: found.high - wrong.low };
}

function everySecond(scores: Float64Array, first: 0 | 1): Float64Array {
  const taken = new Float64Array((scores.length + 1 - first) >> 1);
  for (let index = 0; index < taken.length; index++) taken[index] = scores[2 * index + first] ?? Number.NaN;
  return taken;
}

function numAbove(scores: Float64Array, threshold: number): number {
  let count = 0;
  for (const score of scores) if (score > threshold) count++;
  return count;
}
