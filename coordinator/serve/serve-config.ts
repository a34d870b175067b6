import { z } from 'zod';
import { Sha256 } from '../../shared/units.ts';
import { QueryBudget } from './budget.ts';
import { MonitorPolicy, MonitorSettings } from './monitor/settings.ts';

/**
 * Steps of hardening as a configuration has them: those of docs/defences.md, where MemGuard's surrogate may stand in a file of its
 * own. What they are is checked once the file is read.
 */
const HardeningSteps = z
  .array(
    z
      .looseObject({ type: z.string(), surrogateFile: z.string().optional() })
      .refine(
        ({ type, surrogateFile }) => surrogateFile === undefined || type === 'memguard',
        'only memguard has a surrogate',
      ),
  )
  .max(8);
export type HardeningSteps = z.infer<typeof HardeningSteps>;

const CallerConfig = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, dash and underscore'),
  /** Of the caller's key, as `parley serve-key` prints it. */
  keySha256: Sha256,
  /** Instead of the defaults below. */
  budget: QueryBudget.optional(),
  answer: HardeningSteps.optional(),
  policy: MonitorPolicy.optional(),
  /** Groups that this caller may ask about at will, such as `age band=80 and over`. */
  expects: z.array(z.string()).default([]),
  /** Alarms at lower positions of the query log are forgiven. */
  forgivenBelow: z.number().int().nonnegative().default(0),
});
export type CallerConfig = z.infer<typeof CallerConfig>;

/** Configuration of `parley serve`; paths are relative to the file. docs/serving.md explains every key. */
export const ServeConfig = z.strictObject({
  /** Data schema of the records that callers send. */
  schema: z.string(),
  /** Specification of a model file that does not hold it. */
  spec: z.string().optional(),
  /** Where the query log and the secret lie; made when it is not there. */
  directory: z.string(),
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: z.number().int().min(0).max(65_535).default(7444),
      tls: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
    })
    .prefault({}),
  callers: z
    .array(CallerConfig)
    .min(1)
    .refine(
      (callers) => new Set(callers.map(({ id }) => id)).size === callers.length,
      'a caller stands twice',
    )
    .refine(
      (callers) => new Set(callers.map(({ keySha256 }) => keySha256)).size === callers.length,
      'two callers have one key',
    ),
  /** How answers are hardened. */
  answer: HardeningSteps.default([{ type: 'rounding', decimals: 2 }]),
  /** How those to a caller are whom the monitor has switched. */
  hardened: HardeningSteps.default([{ type: 'label-only' }]),
  budget: QueryBudget.prefault({}),
  monitor: MonitorSettings.prefault({}),
  limits: z
    .strictObject({
      recordsPerRequest: z.number().int().positive().max(100_000).default(1000),
      bytesPerRequest: z.number().int().positive().max(67_108_864).default(1_048_576),
    })
    .prefault({}),
});
export type ServeConfig = z.infer<typeof ServeConfig>;
