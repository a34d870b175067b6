import { z } from 'zod';
import { siloStamp } from '../../shared/model/silo/silo-defence.ts';
import { ReportedEpsilon } from '../../shared/protocol/report.ts';
import { Seed, Sha256 } from '../../shared/units.ts';
import { controlsPassed, type ReportedRun, totalSeconds } from '../report/run.ts';
import { groupName, measuredTpr } from '../report/words.ts';
import type { Job } from './jobs.ts';

const rate = z.number().min(0).max(1);
const range = { low: rate, high: rate };

/** The figures of one run after its last finished round; intervals are the run's own, at 95 %. */
export const JobFigures = z.strictObject({
  /** Finished rounds. */
  rounds: z.number().int().positive(),
  utility: z.strictObject({
    metric: z.enum(['auc', 'accuracy']),
    value: rate,
    accuracy: rate,
    loss: z.number().nonnegative(),
  }),
  epsilon: z.strictObject({ coordinator: ReportedEpsilon, recipients: ReportedEpsilon, delta: z.number() }),
  /** Only where sites train on all of their users together. */
  silo: z.literal(siloStamp).optional(),
  /** The declared attack. */
  userMia: z.strictObject({ attack: z.string(), auc: rate, ...range }),
  /** TPR of the declared attack at 1 % FPR; null where it is not testable or was not asked for. */
  tpr: z.strictObject({ tpr: rate, ...range }).nullable(),
  worstGroup: z.strictObject({ group: z.string(), auc: rate, ...range }).nullable(),
  /** Canaries with wrong labels; null without them. */
  mislabelled: z.strictObject({ auc: rate, ...range }).nullable(),
  /** Whether the controls of the last round's audit passed; its attack figures mean nothing else. */
  controlsPassed: z.boolean(),
  /** All rounds together. */
  seconds: z.number().nonnegative(),
  modelSha256: Sha256,
});
export type JobFigures = z.infer<typeof JobFigures>;

const identity = { id: z.string(), cell: z.string(), seed: Seed, hash: Sha256 };

/** How a job ended: with figures, whether its run finished or stopped itself, or with an error. */
export const JobResult = z.discriminatedUnion('status', [
  z.strictObject({
    ...identity,
    status: z.literal('done'),
    outcome: z.enum(['finished', 'stopped']),
    /** What the coordinator said at the end. */
    detail: z.string(),
    figures: JobFigures,
  }),
  z.strictObject({
    ...identity,
    status: z.literal('failed'),
    error: z.strictObject({ code: z.string(), message: z.string() }),
  }),
]);
export type JobResult = z.infer<typeof JobResult>;
export type DoneJob = Extract<JobResult, { status: 'done' }>;
export type FailedJob = Extract<JobResult, { status: 'failed' }>;

/** One finished run with its figures, of a job or of a directory. */
export interface DoneRun extends Pick<DoneJob, 'status' | 'cell' | 'outcome' | 'figures'> {
  /** Null in a run with secure randomness. */
  readonly seed: Seed | null;
}

/** What of a job its result repeats. */
export function identityOf({ id, cell, seed, hash }: Job): Pick<Job, 'id' | 'cell' | 'seed' | 'hash'> {
  return { id, cell, seed, hash };
}

/** The figures of a run's last finished round; undefined when none was finished. */
export function figuresOf({ reports }: ReportedRun): JobFigures | undefined {
  const last = reports.at(-1);
  if (last === undefined) return undefined;
  const { utility, epsilon, audit, modelSha256 } = last;
  const { metric, value, accuracy, loss } = utility;
  const { coordinator, recipients, delta } = epsilon;
  const { attack, auc, low, high } = audit.user;
  const tpr = measuredTpr(audit.user, 0.01);
  const { worstGroup, mislabelled } = audit;
  return {
    rounds: reports.length,
    utility: { metric, value, accuracy, loss },
    epsilon: { coordinator, recipients, delta },
    ...(last.silo && { silo: last.silo.stamp }),
    userMia: { attack, auc, low, high },
    tpr: tpr === undefined ? null : { tpr: tpr.tpr, low: tpr.low, high: tpr.high },
    worstGroup: worstGroup && { group: groupName(worstGroup), ...aucOf(worstGroup) },
    mislabelled: mislabelled ? aucOf(mislabelled) : null,
    controlsPassed: controlsPassed(audit),
    seconds: totalSeconds(reports),
    modelSha256,
  };
}

function aucOf({ auc, low, high }: { auc: number; low: number; high: number }): {
  auc: number;
  low: number;
  high: number;
} {
  return { auc, low, high };
}
