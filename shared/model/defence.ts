import { z } from 'zod';
import { assertNever } from '../errors.ts';
import { isSiloType, type SiloDefence } from './silo/silo-defence.ts';

/**
 * What a defence works on, and with that what it does to the promise. `per-user`: each user's update is still that user's alone,
 * so user-level DP holds unchanged. `silo-level`: users of a site are mixed, so it does not hold. `server-side`: works on what
 * DP released, which is free. `release-time`: changes answers of a finished model, not the model.
 */
export const DefenceClass = z.enum(['per-user', 'silo-level', 'server-side', 'release-time']);
export type DefenceClass = z.infer<typeof DefenceClass>;

export const SingleDefence = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({
    type: z.literal('relaxloss'),
    /** Target loss in nats. */
    alpha: z.number().nonnegative(),
    /** Cap on the true class's probability inside the soft target, in (0, 1]; 1 leaves it alone. */
    upper: z.number().gt(0).lte(1).default(1),
    /** The two losses that the authors' code ships. */
    variant: z.enum(['cifar', 'tabular']).default('tabular'),
    /** false follows the authors' code, true the re-implementation of Aerni et al. */
    detachTargets: z.boolean().default(false),
    /** What alternates ascent and flattening; `round` is right when there is one local epoch. */
    parity: z.enum(['round', 'epoch']).default('round'),
  }),
  /** Szegedy et al. 2016 (arXiv:1512.00567). A negative control: reported elsewhere to leak more, not less. */
  z.strictObject({
    type: z.literal('label-smoothing'),
    /** Share of each label that is spread evenly over all classes. */
    smoothing: z.number().gt(0).lt(1).default(0.1),
  }),
  /** Pereyra et al. 2017 (arXiv:1701.06548): the cross-entropy minus `entropyWeight` times the entropy of the answer. */
  z.strictObject({
    type: z.literal('confidence-penalty'),
    entropyWeight: z.number().positive().default(0.1),
  }),
  /** The training half of HAMP (Chen and Pattabiraman 2024, arXiv:2307.01610); its output half is release-time. */
  z.strictObject({
    type: z.literal('hamp'),
    /** Entropy of each soft label over that of ignorance, ln(numClasses). */
    entropyShare: z.number().gt(0).lt(1).default(0.95),
    entropyWeight: z.number().nonnegative().default(0.001),
  }),
  /** Srivastava et al. 2014, inverted, on what enters the output layer. */
  z.strictObject({ type: z.literal('dropout'), rate: z.number().gt(0).lt(1) }),
  /** Zhang et al. 2018 (arXiv:1710.09412) among the records of one user's step; shares are Beta(concentration, concentration). */
  z.strictObject({ type: z.literal('mixup'), concentration: z.number().min(0.05).max(1).default(0.2) }),
  /** Gaussian noise on every feature, afresh in each step; standard deviation in units of the features. */
  z.strictObject({ type: z.literal('input-noise'), stdDev: z.number().positive() }),
  /** Gaussian noise on what enters the output layer, afresh in each step; standard deviation in units of the activations. */
  z.strictObject({ type: z.literal('representation-noise'), stdDev: z.number().positive() }),
]);
/** One defence, not a list of them. */
export type SingleDefence = z.infer<typeof SingleDefence>;

/**
 * An empirical defence in local training, as data. None of them changes epsilon, and none protects the worst case
 * (Aerni et al. 2024, arXiv:2404.17399); reports show the most vulnerable users beside the average.
 */
export const Defence = z.discriminatedUnion('type', [
  ...SingleDefence.options,
  z
    .strictObject({ type: z.literal('combined'), defences: z.array(SingleDefence).min(2).max(8) })
    .superRefine(({ defences }, context) => {
      const reason = contradiction(defences);
      if (reason !== undefined) context.addIssue({ code: 'custom', path: ['defences'], message: reason });
    }),
]);
export type Defence = z.infer<typeof Defence>;

/** Names of the single defences, as site policies list them. */
export const defenceTypes = SingleDefence.options.map((option) => option.shape.type.value);

/** The defences that a plan's defence consists of; empty for `none`. */
export function defencesIn(defence: Defence): readonly SingleDefence[] {
  if (defence.type === 'combined') return defence.defences;
  return defence.type === 'none' ? [] : [defence];
}

/** `defence` changes the work on one user's records only; what a plan has under `silo` mixes users. */
export function defenceClass(type: SingleDefence['type'] | SiloDefence['type']): DefenceClass {
  if (isSiloType(type)) return 'silo-level';
  switch (type) {
    case 'none':
    case 'relaxloss':
    case 'label-smoothing':
    case 'confidence-penalty':
    case 'hamp':
    case 'dropout':
    case 'mixup':
    case 'input-noise':
    case 'representation-noise':
      return 'per-user';
    default:
      return assertNever(type);
  }
}

/** Pairs that contradict one another, and why. */
const contradictions: readonly (readonly [SingleDefence['type'], SingleDefence['type'], string])[] = [
  ...(['label-smoothing', 'confidence-penalty', 'hamp'] as const).map(
    (other) =>
      [
        'relaxloss',
        other,
        'alpha is a value of the plain cross-entropy, and the other defence replaces it',
      ] as const,
  ),
  ['relaxloss', 'mixup', 'flattening needs one true class for each record, and mixed records have two'],
  ['label-smoothing', 'hamp', 'both set the labels'],
  ['confidence-penalty', 'hamp', 'both weigh the entropy of the answer'],
];

function contradiction(defences: readonly SingleDefence[]): string | undefined {
  const types = defences.map(({ type }) => type);
  if (types.includes('none')) return 'none is no defence to combine with';
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice !== undefined) return `${twice} is there twice`;
  const pair = contradictions.find(([one, other]) => types.includes(one) && types.includes(other));
  return pair && `${pair[0]} and ${pair[1]} do not combine: ${pair[2]}`;
}
