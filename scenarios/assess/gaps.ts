import type { Evidence } from '../../coordinator/index.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
import { type MeanEstimate, meanDifference } from '../../shared/stats/mean.ts';
import { type RecordsOfUsers, type Reliability, reliability } from './reliability.ts';

/** A mean over users who trained beside one over users who did not; every user counts once. */
export interface Gap {
  readonly members: number;
  readonly heldOut: number;
  /** Oriented so that above 0 is overfitting, with Welch's interval over users. */
  readonly gap: MeanEstimate;
}

/** How much better a model does on those who trained it. */
export interface Overfitting {
  readonly members: number;
  readonly heldOut: number;
  /** Nats: mean loss of held-out users less that of members. */
  readonly loss: Gap;
  /** Accuracy of members less that of held-out users. */
  readonly accuracy: Gap;
  /** The loss gap under the initial model, which saw nobody: only chance is in it. */
  readonly initialLoss: Gap;
  /** The loss gap after every round, from round 0; empty where only one model is known. */
  readonly course: readonly Gap[];
  readonly calibration: { readonly members: Reliability; readonly heldOut: Reliability };
}

/**
 * Overfitting from the signals of audit users: people only (no canary), of their records those that could train (no fresh ones, on
 * either side; but for the course, whose stored means are over all records). Undefined without members or without held-out users.
 */
export function overfittingOf(evidence: Evidence): Overfitting | undefined {
  const [members, heldOut] = [usersOf(evidence, 'member'), usersOf(evidence, 'held-out')];
  if (members.length === 0 || heldOut.length === 0) return undefined;
  const recordsOf = (users: readonly number[]): RecordsOfUsers =>
    users.map((user) => trainable(evidence, user));
  const [trained, strange] = [recordsOf(members), recordsOf(heldOut)];
  const { initial, current, lossHistory } = evidence;
  const lossGap = (signals: RecordSignals): Gap =>
    gapOf(meansOf(trained, lossIn(signals)), meansOf(strange, lossIn(signals)), 'held-out is larger');
  const rightIn = (record: number): number => ((current.hinge[record] ?? Number.NaN) > 0 ? 1 : 0);
  return {
    ...{ members: members.length, heldOut: heldOut.length },
    loss: lossGap(current),
    accuracy: gapOf(meansOf(trained, rightIn), meansOf(strange, rightIn), 'members are larger'),
    initialLoss: lossGap(initial),
    course: lossHistory.map((means) => {
      const pick = (users: readonly number[]): number[] => users.map((user) => means[user] ?? Number.NaN);
      return gapOf(pick(members), pick(heldOut), 'held-out is larger');
    }),
    calibration: { members: reliability(current, trained), heldOut: reliability(current, strange) },
  };
}

function lossIn({ loss }: RecordSignals): (record: number) => number {
  return (record) => loss[record] ?? Number.NaN;
}

function usersOf({ population: { roles, mislabelled } }: Evidence, role: string): number[] {
  return roles.flatMap((own, user) => (own === role && mislabelled?.[user] !== 1 ? [user] : []));
}

/** Records of a user but for the last ones, which never train where they are fresh. */
function trainable({ population: { recordOffsets, freshCounts } }: Evidence, user: number): number[] {
  const [start = 0, end = 0] = recordOffsets.subarray(user, user + 2);
  const count = end - (freshCounts?.[user] ?? 0) - start;
  return Array.from({ length: count }, (_, index) => start + index);
}

function meansOf(users: RecordsOfUsers, valueOf: (record: number) => number): number[] {
  return users.map((records) => records.reduce((sum, record) => sum + valueOf(record), 0) / records.length);
}

function gapOf(
  members: readonly number[],
  heldOut: readonly number[],
  overfit: 'held-out is larger' | 'members are larger',
): Gap {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const gap =
    overfit === 'held-out is larger' ? meanDifference(heldOut, members) : meanDifference(members, heldOut);
  return { members: mean(members), heldOut: mean(heldOut), gap };
}
