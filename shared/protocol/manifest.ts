import { z } from 'zod';
import { siloStamp } from '../model/silo/silo-defence.ts';
import { RunId, Seed, Sha256, SiteId } from '../units.ts';

const count = z.number().int().nonnegative();

/** A figure from the literature that a report shows beside the run's own, with its source. */
export const PublishedFigure = z.strictObject({
  source: z.string(),
  metric: z.enum(['auc', 'accuracy', 'attack-auc']),
  value: z.number(),
  note: z.string().default(''),
});
export type PublishedFigure = z.infer<typeof PublishedFigure>;

/** manifest.json of a run directory: with the round log and the models, enough to reproduce every figure. */
export const Manifest = z.strictObject({
  manifestVersion: z.literal(1),
  run: RunId,
  name: z.string(),
  description: z.string(),
  createdAt: z.iso.datetime(),
  /** The scenario's seed; null in a run with secure randomness. */
  seed: Seed.nullable(),
  privacy: z.enum(['private', 'simulation: not private']),
  /** Only where sites train on all of their users together. */
  stamp: z.literal(siloStamp).optional(),
  versions: z.record(z.string(), z.string()),
  /** The configuration with every default filled in. */
  config: z.record(z.string(), z.unknown()),
  sites: z.array(
    z.strictObject({ id: SiteId, declaredUsers: count, members: count, heldOut: count, reference: count }),
  ),
  initialModelSha256: Sha256,
  /** Only where training starts under a mask: what round 0 trains under. */
  initialMaskSha256: Sha256.optional(),
  /** Public models that calibrate attacks, in the order of the configuration; only where there are some. */
  referenceModelSha256s: z.array(Sha256).optional(),
  /** The coordinator's public records, by the hash of their float32 features; only where the run distils. */
  publicRecords: z.strictObject({ numRecords: count, sha256: Sha256 }).optional(),
  published: z.array(PublishedFigure),
});
export type Manifest = z.infer<typeof Manifest>;
