import { z } from 'zod';
import { assertNever } from '../../errors.ts';
import { standardNormals } from '../../random/gaussian.ts';
import type { Rng } from '../../random/rng.ts';
import type { DefenceClass } from '../defence.ts';
import { type Answer, descending, firstLargest, softmax } from './answer.ts';
import { guarded } from './memguard.ts';
import { SurrogateAttack } from './surrogate.ts';

const HardeningStep = z.discriminatedUnion('type', [
  /** Softmax of log p over the temperature: above 1 flattens, below 1 sharpens; the order stays. */
  z.strictObject({ type: z.literal('temperature'), temperature: z.number().positive() }),
  /** To so many decimals. */
  z.strictObject({ type: z.literal('rounding'), decimals: z.number().int().min(0).max(15) }),
  /** The `k` largest probabilities, 0 for the others. */
  z.strictObject({ type: z.literal('top-k'), k: z.number().int().positive() }),
  /** 1 for the label, 0 for the others. */
  z.strictObject({ type: z.literal('label-only') }),
  /** Gaussian noise on log p, then softmax; standard deviation in nats. The label is that of the noised answer. */
  z.strictObject({ type: z.literal('output-noise'), stdDev: z.number().positive() }),
  /** Jia et al. 2019 (arXiv:1909.10594): noise against a surrogate attack. See `guarded`. */
  z.strictObject({
    type: z.literal('memguard'),
    /** Most L1 distance, on average over the coin, between the answer and the model's own; at most 2 is possible. */
    budget: z.number().min(0).max(2).default(1),
    surrogate: SurrogateAttack,
  }),
]);
type HardeningStep = z.infer<typeof HardeningStep>;

/**
 * How the answers of a finished model are hardened, step after step; empty leaves them alone. None of it protects anything
 * from somebody who has the model, and none changes epsilon.
 */
export const Hardening = z
  .array(HardeningStep)
  .max(8)
  .superRefine((steps, context) => {
    const reason = contradiction(steps.map(({ type }) => type));
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
export type Hardening = z.infer<typeof Hardening>;

/** All of them work on answers. */
export const hardeningClass: DefenceClass = 'release-time';

function contradiction(types: readonly HardeningStep['type'][]): string | undefined {
  if (types.length < 2) return undefined;
  const zeros = types.findIndex((type) => type === 'rounding' || type === 'top-k');
  const logs = types.findLastIndex((type) => type === 'temperature' || type === 'output-noise');
  if (zeros >= 0 && zeros < logs)
    return `${types[logs] ?? ''} comes before ${types[zeros] ?? ''}, which leaves zeros without a logarithm`;
  if (types.includes('memguard'))
    return 'memguard does not combine: its distortion budget is about the model’s own answer, and another step would break it';
  if (types.includes('label-only'))
    return 'label-only does not combine: it leaves nothing for another step to change';
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  return twice && `${twice} is there twice`;
}

/**
 * A model's answer, hardened. `rng` belongs to the record: whoever asks again must get the same stream, else averages over many
 * answers undo the noise.
 */
export function hardened(answer: Answer, hardening: Hardening, rng: Rng): Answer {
  return hardening.reduce((current, step) => hardenedBy(step, current, rng), answer);
}

function hardenedBy(step: HardeningStep, answer: Answer, rng: Rng): Answer {
  const { label, probabilities } = answer;
  switch (step.type) {
    case 'temperature':
      return { label, probabilities: softmax(probabilities.map((p) => Math.log(p) / step.temperature)) };
    case 'rounding': {
      const units = 10 ** step.decimals;
      return { label, probabilities: probabilities.map((p) => Math.round(p * units) / units) };
    }
    case 'top-k': {
      const kept = new Set(descending(probabilities, label).slice(0, step.k));
      return { label, probabilities: probabilities.map((p, i) => (kept.has(i) ? p : 0)) };
    }
    case 'label-only':
      return { label, probabilities: probabilities.map((_, i) => (i === label ? 1 : 0)) };
    case 'output-noise': {
      const noise = standardNormals(rng, probabilities.length);
      const noised = softmax(probabilities.map((p, i) => Math.log(p) + step.stdDev * (noise[i] ?? 0)));
      return { label: firstLargest(noised), probabilities: noised };
    }
    case 'memguard':
      return guarded(answer, step, rng);
    default:
      return assertNever(step);
  }
}
