import { ParleyError } from '../errors.ts';
import { type Defence, defencesIn } from './defence.ts';
import { layoutOf } from './layout.ts';
import type { ModelSpec } from './spec.ts';

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
