import { z } from 'zod';

const epochs = z.number().int().positive();

/** What every artefact of a run says in which a site trains on all of its users together. */
export const siloStamp = 'not user-level private';

/**
 * How a site trains on the records of all drawn users together, as data. Users are mixed before anything could be clipped, so no
 * plan that promises user-level DP may ask for one. None but `record-dp-sgd` promises anything, and that one to a single record.
 */
export const SiloDefence = z.discriminatedUnion('type', [
  /** No defence: plain descent on all records, the baseline of the others. */
  z.strictObject({ type: z.literal('pooled') }),
  /**
   * Li, Li and Ribeiro 2024: disjoint groups of users, a submodel each, pulled towards what the other submodels answer, which
   * never saw the record; then their average.
   */
  z.strictObject({
    type: z.literal('mist'),
    groups: z.number().int().min(2).max(100).default(4),
    /** Weight of the mean L1 distance to the others' probabilities, beside the cross-entropy's phase. */
    weight: z.number().nonnegative().default(1),
    /** Passes over a group's records that pull; `epochs` of the plan are those on labels. */
    pullEpochs: epochs.default(1),
  }),
  /**
   * Tang et al. 2022: `submodels`, of which each user is a non-member of `nonMemberOf`; a student learns the mean answer of
   * those that never saw the record.
   */
  z
    .strictObject({
      type: z.literal('selena'),
      submodels: z.number().int().min(2).max(100).default(25),
      nonMemberOf: z.number().int().positive().default(10),
      /** Passes of the student; as many as those on labels when left out. */
      studentEpochs: epochs.optional(),
    })
    .refine(
      ({ submodels, nonMemberOf }) => nonMemberOf < submodels,
      'nonMemberOf must be below submodels: else nobody trains',
    ),
  /**
   * Shejwalkar and Houmansadr 2021 (DMP): a teacher trained on the drawn users labels the features of the site's reference users,
   * and only those train the student.
   */
  z.strictObject({
    type: z.literal('distillation'),
    /** Both answers are softened: softmax(logits / temperature). */
    temperature: z.number().positive().default(1),
    /** Share of the public records that is used: those on which the teacher's answer has least entropy. */
    keep: z.number().gt(0).lte(1).default(1),
    studentEpochs: epochs.optional(),
  }),
  /**
   * Nasr, Shokri and Houmansadr 2018: the cross-entropy plus `weight` times what an attack network gains, which learns all the
   * while to tell the drawn users' answers from the reference users'.
   */
  z.strictObject({
    type: z.literal('adversarial'),
    weight: z.number().nonnegative().default(1),
    /** Hidden units of the attack network. */
    units: z.number().int().positive().max(1024).default(32),
    /** Steps of the attack network before each of the model's. */
    attackSteps: z.number().int().positive().default(3),
    attackLearningRate: z.number().positive().default(0.5),
  }),
  /**
   * After Li, Li and Ribeiro 2021: the cross-entropy plus `weight` times the squared maximum mean discrepancy between answers to the
   * drawn users' records and to reference records of the same classes.
   */
  z.strictObject({
    type: z.literal('alignment'),
    weight: z.number().nonnegative().default(1),
    /** Of the Gaussian kernel on answers, which are at most sqrt(2) apart. */
    bandwidth: z.number().positive().default(0.5),
  }),
  /**
   * The same with representations, the inputs of the output layer, in the place of answers (after Long et al. 2015). Only for
   * models with something to train below that layer.
   */
  z.strictObject({
    type: z.literal('representation-alignment'),
    weight: z.number().nonnegative().default(1),
    /**
     * Of the Gaussian kernel on representations, which have no scale of their own: `median` is the median distance between the
     * rows of each step, either set's (Gretton et al. 2012).
     */
    bandwidth: z.union([z.literal('median'), z.number().positive()]).default('median'),
  }),
  /**
   * Abadi et al. 2016, with Poisson sampling of records: differential privacy of one record against the coordinator, for
   * comparison; a user with several records has no such promise.
   */
  z.strictObject({
    type: z.literal('record-dp-sgd'),
    /** L2 bound on the derivative of one record's loss. */
    clipNorm: z.number().positive(),
    /** Standard deviation of a step's noise over the bound. */
    noiseMultiplier: z.number().positive(),
    /** Each record's own coin in every step. */
    samplingRate: z.number().gt(0).lte(1),
    /** Steps in a round, in place of `epochs` and `batchSize`. */
    steps: z.number().int().positive(),
    /** What a step's sum is divided by: a public constant, near the records that a step draws. */
    recordsPerStep: z.number().positive(),
    /** At which the epsilon of a record is reported. */
    delta: z.number().gt(0).lt(1),
  }),
]);
export type SiloDefence = z.infer<typeof SiloDefence>;

/** Names of the silo-level defences, as site policies list them. */
export const siloTypes = SiloDefence.options.map((option) => option.shape.type.value);

/** Whether a defence of this name is silo-level. */
export function isSiloType(type: string): type is SiloDefence['type'] {
  return siloTypes.some((known) => known === type);
}
