import { z } from 'zod';
import { DefenceClass } from '../model/defence.ts';
import { siloStamp } from '../model/silo/silo-defence.ts';
import { ClipNorm, Delta, RoundIndex, RunId, Sha256, SiteId } from '../units.ts';
import { AuditReport } from './audit-report.ts';
import { Alarm, CanaryReport } from './canary-report.ts';
import { PruningReport, Utility } from './pruning-report.ts';

/**
 * What a round leaves behind: one JSON line of rounds.jsonl, the body of the signed report to the sites, and the input
 * of the report page. `reportVersion` rises when a field changes meaning; fields are only ever added otherwise.
 */
export const reportVersion = 1;

const rate = z.number().min(0).max(1);
const count = z.number().int().nonnegative();

/** Epsilon in nats, or the word where nothing is promised (JSON has no infinity). */
export const ReportedEpsilon = z.union([z.number().nonnegative(), z.literal('infinite')]);
export type ReportedEpsilon = z.infer<typeof ReportedEpsilon>;

export const RoundReport = z.strictObject({
  reportVersion: z.literal(reportVersion),
  run: RunId,
  round: RoundIndex,
  rounds: z.number().int().positive(),
  sites: z.strictObject({
    asked: z.array(SiteId),
    answered: z.array(SiteId),
    declined: z.array(z.strictObject({ site: SiteId, code: z.string(), detail: z.string() })),
    missing: z.array(SiteId),
  }),
  utility: Utility,
  epsilon: z.strictObject({
    coordinator: ReportedEpsilon,
    recipients: ReportedEpsilon,
    /** The same two by Renyi divergences: looser, beside the figures that count. */
    rdp: z.strictObject({ coordinator: ReportedEpsilon, recipients: ReportedEpsilon }).optional(),
    delta: Delta,
    limit: z.number().positive().nullable(),
  }),
  /** Only where the clip norm adapts. */
  clipping: z
    .strictObject({
      /** C of this round, parameter units. */
      clipNorm: ClipNorm,
      /** Share of the users whose updates were within it, noised: part of the release that epsilon covers. */
      fractionWithin: rate,
      nextClipNorm: ClipNorm,
    })
    .optional(),
  /** Only where the run prunes. */
  pruning: PruningReport.optional(),
  /** Empirical defences in use and what each works on. None changes epsilon. Missing where there is none, and in older reports. */
  defences: z
    .array(z.strictObject({ type: z.string(), class: DefenceClass }))
    .min(1)
    .optional(),
  /** Only where sites train on all of their users together: then no epsilon of this report is a user's but the infinite one. */
  silo: z
    .strictObject({
      stamp: z.literal(siloStamp),
      defence: z.string(),
      /** Only DP-SGD on records: what one record, added or removed, costs. Not a user's epsilon. */
      recordLevel: z
        .strictObject({ epsilon: ReportedEpsilon, rdp: ReportedEpsilon, delta: Delta })
        .optional(),
    })
    .optional(),
  audit: AuditReport,
  /** Missing in older reports. */
  canaries: CanaryReport.optional(),
  /** Only where more is proven than was accounted for: then the run has stopped. */
  alarm: z.array(Alarm).min(1).optional(),
  policy: z.strictObject({
    action: z.enum(['go-on', 'warn', 'roll-back', 'stop']),
    reasons: z.array(z.string()),
  }),
  /** Only where the policy rolled back: the version that the next round starts from; 0 is the initial model, r + 1 that of round r. */
  rolledBackTo: z
    .strictObject({ version: RoundIndex, modelSha256: Sha256, maskSha256: Sha256.optional() })
    .optional(),
  /** Only where releases are not refused on arrival, since sites may break their protection on purpose: what was noted. */
  redTeam: z.strictObject({ notedOnArrival: z.array(z.string()) }).optional(),
  /** Refused messages so far in the run, by error code. */
  refused: z.record(z.string(), count),
  /** What was attacked and is handed over. */
  modelSha256: Sha256,
  /** Only where the run averages its models: what the next round trains from, and what sites therefore see too. */
  iterateSha256: Sha256.optional(),
  privacy: z.enum(['private', 'simulation: not private']),
  seconds: z.number().nonnegative(),
});
export type RoundReport = z.infer<typeof RoundReport>;
