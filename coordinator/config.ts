import { z } from 'zod';
import { PublicKey } from '../shared/crypto/identity.ts';
import { ParleyError } from '../shared/errors.ts';
import { layoutOf } from '../shared/model/layout.ts';
import { LocalPlan } from '../shared/model/local-trainer.ts';
import { siloMisfit } from '../shared/model/silo/combine.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { PublishedFigure } from '../shared/protocol/manifest.ts';
import { brokenPromise, type Protection } from '../shared/protocol/plan.ts';
import { Seed, SiteId } from '../shared/units.ts';
import { Averaging } from './aggregate/averaging.ts';
import type { AdaptiveClipping } from './aggregate/clip-norm.ts';
import { Distillation } from './aggregate/distillation.ts';
import { Pruning, pruningContradictions } from './aggregate/prune.ts';
import { ServerOptimizer } from './aggregate/server-step.ts';
import { AuditOptions } from './audit/audit-round.ts';
import { LeakagePolicy } from './audit/leakage-policy.ts';
import { EarlyStopping } from './early-stopping.ts';
import { ProtectionConfig, promised } from './protection.ts';

const count = z.number().int().positive();
const durationMs = z.number().int().nonnegative();

/** What a federation is to do: the part of a configuration that sites, scenarios and real coordinators share. */
export const FederationConfig = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,40}$/, 'lower-case letters, digits and dashes'),
  description: z.string().default(''),
  rounds: count,
  model: ModelSpec,
  local: LocalPlan,
  protection: ProtectionConfig,
  server: ServerOptimizer,
  averaging: Averaging.optional(),
  distillation: Distillation.optional(),
  earlyStopping: EarlyStopping.optional(),
  pruning: Pruning.optional(),
  cohort: z
    .strictObject({
      /** How many of the enrolled sites are asked in a round. */
      sites: z.union([z.literal('all'), count]).default('all'),
      /** A round needs this many answers. */
      minSites: count.default(2),
      belowMinimum: z.enum(['repeat', 'end']).default('repeat'),
      maxRepeats: z.number().int().nonnegative().default(3),
    })
    .prefault({}),
  deadlines: z
    .strictObject({
      enrolMs: durationMs.positive().default(600_000),
      roundMs: durationMs.positive().default(600_000),
      scoreMs: durationMs.positive().default(300_000),
      /** From a plan's arrival to a site's answer; 0 only in simulations. */
      answerAfterMs: durationMs.default(0),
    })
    .prefault({}),
  audit: AuditOptions.prefault({}),
  leakage: LeakagePolicy.prefault([]),
  /** Roll-backs of the leakage policy in a run; one more stops it. */
  maxRollBacks: z.number().int().nonnegative().default(1),
  /** What happens to a release that holds too little noise; `note` is for seeded runs whose sites break their protection. */
  arrivalChecks: z.enum(['refuse', 'note']).default('refuse'),
  /** The epsilon that the report shows as the limit; sites enforce their own. */
  epsilonLimit: z.number().positive().nullable().default(null),
  /** Number of colluding sites in the recipients' view. */
  colludingSites: z.number().int().nonnegative().default(1),
  /** Only for scenarios: a seeded run repeats exactly and is not private. */
  seed: Seed.nullable().default(null),
  published: z.array(PublishedFigure).default([]),
});
export type FederationConfig = z.infer<typeof FederationConfig>;

/** A real coordinator: a federation, where it listens, who it is and which sites it knows. */
export const CoordinatorConfig = z.strictObject({
  federation: FederationConfig,
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(7443),
      tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
    })
    .prefault({}),
  identity: z.string(),
  sites: z.array(z.strictObject({ id: SiteId, publicKey: PublicKey })).min(1),
  directory: z.string(),
  /** Records that are nobody's secret, for distillation at the server: CSV, gzipped CSV or Parquet, and what they mean. */
  publicTable: z.strictObject({ file: z.string(), schema: z.string() }).optional(),
});
export type CoordinatorConfig = z.infer<typeof CoordinatorConfig>;

/** Whether a run hands over another model than the one that its rounds train on from. */
export function handsOverAnother({ averaging, distillation }: FederationConfig): boolean {
  return averaging !== undefined || distillation !== undefined;
}

/**
 * The promise of every plan. A target epsilon is solved on the safe side: the noise multiplier returned never costs more.
 *
 * @throws CONFIG_INVALID when parts of the configuration contradict one another, or the count of adaptive clipping has too little noise; CALIBRATION_IMPOSSIBLE when no noise will do.
 */
export function protectionOf(config: FederationConfig): Protection {
  assertConsistent(config);
  return promised(config.protection, config.rounds);
}

/** How the clip norm of a federation adapts; undefined where it stays. */
export function adaptiveClippingOf({ protection }: FederationConfig): AdaptiveClipping | undefined {
  return protection.type === 'user-dp' ? protection.adaptiveClipping : undefined;
}

function assertConsistent({ cohort, deadlines, seed, arrivalChecks, ...config }: FederationConfig): void {
  const { answerAfterMs, roundMs } = deadlines;
  const contradictions = [
    ...(cohort.sites !== 'all' && cohort.sites < cohort.minSites
      ? [
          `cohort.sites is ${cohort.sites} but cohort.minSites is ${cohort.minSites}: ask at least as many sites as a round needs`,
        ]
      : []),
    ...(answerAfterMs >= roundMs
      ? [
          `deadlines.answerAfterMs is ${answerAfterMs} and deadlines.roundMs ${roundMs}: every answer would come too late`,
        ]
      : []),
    // Law 3: when a real site answers must not depend on how long its data took.
    ...(seed === null && answerAfterMs === 0
      ? [
          'deadlines.answerAfterMs is 0: give the tick at which sites answer, longer than the slowest one trains',
        ]
      : []),
    ...(seed === null && arrivalChecks === 'note'
      ? ['arrivalChecks is note, which lets broken protection pass: it is for seeded simulations only']
      : []),
    ...(config.averaging && config.distillation
      ? [
          'averaging and distillation each say what is handed over in place of the model: leave out one of them',
        ]
      : []),
    ...contradictionsOfPruning(config),
    ...contradictionsOfSilo(config),
  ];
  if (contradictions.length > 0) throw new ParleyError('CONFIG_INVALID', contradictions.join('; '));
}

function contradictionsOfSilo({
  local: { silo },
  model,
  protection,
}: Pick<FederationConfig, 'local' | 'model' | 'protection'>): string[] {
  if (!silo) return [];
  const misfit = siloMisfit(silo, model);
  return [
    ...(protection.type === 'none' ? [] : [`local.silo: ${brokenPromise(silo, protection)}`]),
    ...(misfit === undefined ? [] : [`local.silo: ${misfit}`]),
  ];
}

function contradictionsOfPruning({
  pruning,
  model,
  rounds,
  protection,
}: Pick<FederationConfig, 'pruning' | 'model' | 'rounds' | 'protection'>): string[] {
  if (!pruning) return [];
  return pruningContradictions(pruning, { layout: layoutOf(model), rounds, protection: protection.type });
}
