import { ParleyError } from '../errors.ts';
import { type Defence, defencesIn, type SingleDefence } from './defence.ts';
import { layoutOf } from './layout.ts';
import type { ModelSpec } from './spec.ts';

/** Defences that change records or activations at random, which the dense provider's shared products cannot follow. */
const perStepChanges: readonly SingleDefence['type'][] = [
  'dropout',
  'mixup',
  'input-noise',
  'representation-noise',
];

/** Why the dense provider cannot train with a defence; undefined where it can. */
export function notForDense(defence: Defence): string | undefined {
  const part = defencesIn(defence).find(({ type }) => perStepChanges.includes(type));
  return part && `the defence ${part.type} changes every step's records or activations at random`;
}

/** @throws MODEL_INVALID when the dense provider cannot train with a defence. */
export function assertDenseFollows(defence: Defence): void {
  const reason = notForDense(defence);
  if (reason === undefined) return;
  throw new ParleyError(
    'MODEL_INVALID',
    `the dense provider trains all users by shared products, but ${reason}; use the provider general or auto`,
  );
}

/** @throws MODEL_INVALID when a model's input is nothing that a defence could change: word numbers have no mixtures and no noise. */
export function assertDefenceFits(spec: ModelSpec, defence: Defence): void {
  const part = defencesIn(defence).find(({ type }) => type === 'mixup' || type === 'input-noise');
  if (part === undefined || spec.layers.at(0)?.type !== 'embedding') return;
  throw new ParleyError(
    'MODEL_INVALID',
    `model: layer 0 (embedding) reads word numbers, which the defence ${part.type} cannot change; take dropout, representation-noise or a defence in the loss`,
  );
}

/** Inputs of the output layer, which dropout drops and representation noise is added to. */
export function numOutputInputs(spec: ModelSpec): number {
  return layoutOf(spec).at(-2)?.shape.at(0) ?? 0;
}
