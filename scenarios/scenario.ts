import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { AuditUsers, NoiseChoice, RedTeam, SitePolicy, TrainerChoice } from '../client/index.ts';
import { FederationConfig } from '../coordinator/index.ts';
import { loadConfig } from '../shared/config.ts';
import { Seed, SiteId } from '../shared/units.ts';

/** One part more than there are sites: nobody's users, whose records are the public table of the coordinator and of all sites. */
const publicPart = z.literal(true).optional();

/** Where the sites' records come from. Schema paths are relative to the scenario file, tables to a data directory. */
const ScenarioData = z.discriminatedUnion('type', [
  /** Made-up hospitals, no download. */
  z.strictObject({
    type: z.literal('synthetic-hospitals'),
    schema: z.string(),
    sites: z.number().int().positive().max(64).default(4),
    usersPerSite: z.number().int().positive(),
  }),
  /** One table, its users divided among sites by a hash of their ids. */
  z.strictObject({
    type: z.literal('hashed-table'),
    schema: z.string(),
    file: z.string(),
    sites: z.array(SiteId).min(1),
    publicPart,
  }),
  /**
   * One table, its records divided among sites by a hash of their row numbers: one person's records lie at several sites, and
   * the sites link their users.
   */
  z.strictObject({
    type: z.literal('spread-table'),
    schema: z.string(),
    file: z.string(),
    sites: z.array(SiteId).min(1),
  }),
  /** One table whose schema declares a site column; the value of a user's first record decides. */
  z.strictObject({
    type: z.literal('column-table'),
    schema: z.string(),
    file: z.string(),
    /** Site name to column value. */
    sites: z.record(SiteId, z.string()),
    /** The column value of public users. */
    publicPart: z.string().optional(),
  }),
  /** Receipts of households, made into baskets with a class each; households are divided by a hash of their ids. */
  z.strictObject({
    type: z.literal('purchases'),
    schema: z.string(),
    file: z.string(),
    sites: z.array(SiteId).min(1),
    publicPart,
  }),
  /** One table for each site. */
  z.strictObject({
    type: z.literal('tables'),
    schema: z.string(),
    sites: z.record(SiteId, z.string()),
    /** A table of public users. */
    publicPart: z.string().optional(),
  }),
]);
export type ScenarioData = z.infer<typeof ScenarioData>;

/** One run for each; the same one twice would give one run and count it as two. */
export const Seeds = z
  .array(Seed)
  .min(1)
  .refine((seeds) => new Set(seeds).size === seeds.length, 'a seed is there twice: give each once');

/** A scenario file: a federation, its sites and their data, repeatable from a seed. */
export const Scenario = z.strictObject({
  federation: FederationConfig.omit({ seed: true, arrivalChecks: true }),
  data: ScenarioData,
  sites: z.strictObject({
    policy: SitePolicy,
    audit: AuditUsers.prefault({}),
    trainer: TrainerChoice.prefault({}),
    noise: NoiseChoice.prefault({}),
  }),
  /** Sites that claim protection and break it, to show whether the audits notice; releases are then noted, not refused. */
  redTeam: RedTeam.optional(),
  /** One run for each seed; a report over several puts mean and standard deviation beside published figures. */
  seeds: Seeds.prefault([1]),
});
export type Scenario = z.infer<typeof Scenario>;

/** A scenario with the paths of schema and reference models made absolute. Throws FILE_NOT_FOUND, CONFIG_INVALID. */
export function loadScenario(file: string): Scenario {
  const scenario = loadConfig(file, Scenario, (path) => readFileSync(path, 'utf8'), 'docs/scenarios.md');
  const at = (path: string): string => resolve(dirname(file), path);
  const { data, federation } = scenario;
  const audit = { ...federation.audit, referenceModels: federation.audit.referenceModels.map(at) };
  return {
    ...scenario,
    federation: { ...federation, audit },
    data: { ...data, schema: at(data.schema) },
  };
}
