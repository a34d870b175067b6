import { z } from 'zod';

/** What callers of `parley serve` send and get, as JSON over HTTP (docs/serving.md). */

/** Where predictions are asked for, and where the model describes itself. */
export const predictionPaths = { predictions: '/v1/predictions', model: '/v1/model' } as const;

/** Body of `POST /v1/predictions`: records by their fields, or as vectors of the model's inputs. */
export const PredictionRequest = z.union([
  z.strictObject({ records: z.array(z.record(z.string(), z.unknown())).min(1) }),
  z.strictObject({ encoded: z.array(z.array(z.number())).min(1) }),
]);
export type PredictionRequest = z.infer<typeof PredictionRequest>;

/** The answer to one record: class index and hardened probabilities, shape (numClasses,); or why there is none. */
export const PredictionAnswer = z.union([
  z.strictObject({ label: z.number().int().nonnegative(), probabilities: z.array(z.number()) }),
  z.strictObject({ error: z.strictObject({ code: z.string(), field: z.string(), message: z.string() }) }),
]);
export type PredictionAnswer = z.infer<typeof PredictionAnswer>;

const left = z.number().int().nonnegative().nullable();

/** Body of an answer. */
export const PredictionReply = z.strictObject({
  /** In the order of the records. */
  answers: z.array(PredictionAnswer),
  /** What the monitor makes of the caller: fine, warned or hardened. */
  standing: z.string(),
  warnings: z.array(z.strictObject({ detector: z.string(), message: z.string() })),
  /** Records that are left; null where there is no limit. */
  budget: z.strictObject({ total: left, today: left }),
});
export type PredictionReply = z.infer<typeof PredictionReply>;

/** Body of a refusal. */
export const PredictionRefusal = z.strictObject({
  error: z.strictObject({ code: z.string(), message: z.string() }),
});
export type PredictionRefusal = z.infer<typeof PredictionRefusal>;

/** Body of `GET /v1/model`. */
export const ModelDescription = z.strictObject({
  modelSha256: z.string(),
  /** Names of the classes, by index. */
  classes: z.array(z.string()),
  fields: z.array(z.string()),
  takesEncoded: z.boolean(),
  mostRecords: z.number().int().positive(),
});
export type ModelDescription = z.infer<typeof ModelDescription>;
