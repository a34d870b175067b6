import type { Advantage, GroupResult } from '../../shared/protocol/audit-report.ts';
import { aucIntervalOfTieGroups, clopperPearson, tprOfRoc } from '../../shared/stats/interval.ts';
import { rocOfTieGroups } from '../../shared/stats/roc.ts';
import type { TieGroups } from '../../shared/stats/tie-groups.ts';
import { conformalPValues } from './conformal.ts';
import { minimumDetectableAuc } from './controls.ts';

type Tested = Extract<GroupResult, { status: 'tested' }>;

/** What a group's figures are made of. */
export interface GroupScores {
  readonly members: Float64Array;
  readonly heldOut: Float64Array;
  /** The same two pooled and sorted: sorting is most of what a group costs. */
  readonly inOrder: TieGroups;
  /** Adjusted. */
  readonly pValue: number;
  readonly numTested: number;
}

/** The figures of a testable group from its scores, larger = more likely member; intervals as in subpopulationAttack. */
export function groupFigures(
  { members, heldOut, inOrder, pValue, numTested }: GroupScores,
  options: { readonly fprs: readonly number[]; readonly level: number },
): Omit<Tested, 'status' | 'column' | 'value'> {
  const level = 1 - (1 - options.level) / numTested;
  const conformal = conformalPValues(members, heldOut).sort();
  const advantage = advantageAt(members, heldOut);
  const roc = rocOfTieGroups(inOrder);
  return {
    members: members.length,
    heldOut: heldOut.length,
    ...aucIntervalOfTieGroups(inOrder, level),
    pValue,
    rejected: pValue <= 1 - options.level,
    tprAtFpr: options.fprs.map((fpr) => tprOfRoc(roc, fpr, options.level)),
    conformal: { smallest: conformal[0] ?? 1, median: conformal[(conformal.length - 1) >> 1] ?? 1 },
    ...(advantage && { advantage }),
    minimumDetectableAuc: minimumDetectableAuc(members.length, heldOut.length, 1 - level),
  };
}

const advantageFpr = 0.1;

/**
 * TPR - FPR with its 95 % interval. Every second held-out user, in roster order, fixes the threshold: the lowest at which a user
 * like them is accused with probability at most 0.1 (split conformal). The others measure the FPR, so the threshold is fixed in
 * advance for them and for the members. Undefined where the first half has fewer than nine users, which allows no threshold.
 */
export function advantageAt(members: Float64Array, heldOut: Float64Array): Advantage | undefined {
  const calibration = heldOut
    .filter((_, index) => index % 2 === 0)
    .sort()
    .reverse();
  const evaluation = heldOut.filter((_, index) => index % 2 === 1);
  const threshold = calibration[Math.floor(advantageFpr * (calibration.length + 1) + 1e-9) - 1];
  if (threshold === undefined) return undefined;
  const accused = (scores: Float64Array): number => scores.filter((score) => score > threshold).length;
  const [hits, alarms] = [accused(members), accused(evaluation)];
  const [found, wrong] = [
    clopperPearson(hits, members.length, 0.975),
    clopperPearson(alarms, evaluation.length, 0.975),
  ];
  const [tpr, fpr] = [hits / members.length, alarms / evaluation.length];
  return { tpr, fpr, advantage: tpr - fpr, low: found.low - wrong.high, high: found.high - wrong.low };
}
