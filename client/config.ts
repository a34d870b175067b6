import { z } from 'zod';
import { PublicKey } from '../shared/crypto/identity.ts';
import { samplers } from '../shared/privacy/noise.ts';
import { Seed, SiteId } from '../shared/units.ts';
import { AuditUsers } from './audit-roles.ts';
import { TableSource } from './load-shard.ts';
import { RedTeam } from './red-team.ts';

/** Which trainer a site uses. Its results are the same to float tolerance. */
export const TrainerChoice = z.strictObject({
  provider: z.enum(['auto', 'general', 'dense']).default('auto'),
  backend: z.enum(['auto', 'tfjs-node', 'wasm', 'cpu']).default('auto'),
  /** Threads of the dense provider: so many, or one for each core where a task is worth it. */
  workers: z.union([z.literal('auto'), z.number().int().positive()]).default('auto'),
});
export type TrainerChoice = z.infer<typeof TrainerChoice>;

/** How a site draws its noise (docs/noise.md). */
export const NoiseChoice = z.strictObject({ sampler: z.enum(samplers).default('rounded-gaussian') });

/** A site's configuration file. Paths are relative to the file. */
export const ClientConfig = z
  .strictObject({
    site: SiteId,
    coordinator: z.strictObject({
      url: z.string(),
      /** The coordinator's key, received by another way than from the coordinator. */
      publicKey: PublicKey,
      /** Certificate authority of a coordinator whose certificate no public authority signed; a PEM file. */
      ca: z.string().optional(),
    }),
    /** Key file, made by `parley keys`. */
    identity: z.string(),
    data: TableSource,
    /** Records that are nobody's secret, for silo-level defences that need some; reference users stand in when left out. */
    publicTable: TableSource.optional(),
    /** A public constant, near the number of users that may train; everybody's denominator. Optional in simulations only. */
    declaredUsers: z.number().int().positive().optional(),
    policy: z.string(),
    ledger: z.string(),
    /** Where sites share users: the key that they share, and this site's table of weights (`parley linkage`). */
    linkage: z.strictObject({ key: z.string(), weights: z.string() }).optional(),
    audit: AuditUsers.prefault({}),
    trainer: TrainerChoice.prefault({}),
    noise: NoiseChoice.prefault({}),
    /** Only for scenarios: noise and draws then repeat, and everything is stamped `simulation: not private`. */
    seed: Seed.optional(),
    /** Only for scenarios: protection that is claimed and broken on purpose. */
    redTeam: RedTeam.optional(),
  })
  .refine(
    ({ seed, redTeam }) => redTeam === undefined || seed !== undefined,
    'redTeam breaks the protection on purpose and needs a seed: it is for simulations only',
  );
export type ClientConfig = z.infer<typeof ClientConfig>;
