import { type Defence, defencesIn, type SingleDefence } from '../defence.ts';
import { layoutOf } from '../layout.ts';
import type { ModelSpec } from '../spec.ts';
import type { SiloDefence } from './silo-defence.ts';

/** Defences of one user's training whose loss is a mean over records, whoever's they are: a step of a whole site can descend it. */
const together: readonly SingleDefence['type'][] = ['label-smoothing', 'confidence-penalty', 'hamp'];

/**
 * Why a silo-level defence does not go together with what is asked of one user's training; undefined where it does. Alpha of
 * RelaxLoss is held against one user's mean loss; what is drawn at random comes from one user's own stream.
 */
export function siloContradiction(silo: SiloDefence, defence: Defence): string | undefined {
  const apart = defencesIn(defence).find(({ type }) => !together.includes(type));
  return (
    apart &&
    `${silo.type} and ${apart.type} do not combine: ${apart.type} is about the steps of one user, and here a step mixes users`
  );
}

/**
 * Why a silo-level defence does not go together with a model; undefined where it does. What is below the output layer may be
 * pooling and flattening alone, which nothing can train.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export function siloMisfit(silo: SiloDefence, model: ModelSpec): string | undefined {
  if (silo.type !== 'representation-alignment') return undefined;
  if (layoutOf(model).some(({ name }) => name.startsWith('layers.'))) return undefined;
  return (
    `${silo.type} moves the inputs of the output layer, and nothing below that layer of this model is trained: ` +
    'add a layer with weights to federation.model, or take alignment, which works on answers'
  );
}
