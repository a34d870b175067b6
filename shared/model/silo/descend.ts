import { setImmediate } from 'node:timers/promises';
import type { Rng } from '../../random/rng.ts';
import { shuffled } from '../../random/sample.ts';
import type { LocalPlan } from '../local-trainer.ts';
import type { ParameterMask } from '../mask.ts';
import { pickRows } from '../pick-rows.ts';
import type { SiloEngine, Slope } from './engine.ts';

/** How a site descends: plain SGD, as on one user's records. */
export interface Descent {
  readonly engine: SiloEngine;
  readonly plan: Pick<LocalPlan, 'batchSize' | 'learningRate' | 'l2'>;
  /** What is trained; everything when left out. */
  readonly mask?: ParameterMask | undefined;
  /** Lets other work pass in between; called after every step. */
  readonly pause: () => Promise<void>;
}

/** Records to descend on, and what a step descends of them. */
export interface DescentOn {
  /** Shape (numRecords, numFeatures), row-major. */
  readonly features: Float32Array;
  readonly numRecords: number;
  readonly epochs: number;
  /** The objective of a step on these rows. */
  readonly slopeOf: (rows: Int32Array) => Slope;
  /** Shuffles records into steps. */
  readonly rng: Rng;
}

/** Trained parameters, from `start`, shape (numParams,), which stays as it is. Without records they are the same. */
export async function descend(
  { engine, plan, mask, pause }: Descent,
  start: Float32Array,
  { features, numRecords, epochs, slopeOf, rng }: DescentOn,
): Promise<Float32Array> {
  const parameters = start.slice();
  const derivative = new Float64Array(start.length);
  for (const rows of stepsOf({ numRecords, epochs, batchSize: plan.batchSize }, rng)) {
    const step = { parameters, features: pickRows(features, rows, features.length / numRecords) };
    engine.derivative(step, slopeOf(rows), derivative);
    applyStep(parameters, derivative, { ...plan, mask });
    await pause();
  }
  return parameters;
}

/** parameters -= learningRate * (derivative + l2 * parameters), in place; what a mask prunes stays as it is. */
export function applyStep(
  parameters: Float32Array,
  derivative: Float64Array,
  { learningRate, l2, mask }: Pick<LocalPlan, 'learningRate' | 'l2'> & Pick<Descent, 'mask'>,
): void {
  const kept = 1 - learningRate * l2;
  for (let i = 0; i < parameters.length; i++)
    if (mask?.flags[i] !== 0)
      parameters[i] = kept * (parameters[i] ?? 0) - learningRate * (derivative[i] ?? 0);
}

/** Rows of each step: all of them, or shuffled afresh in every epoch, of which the last step takes what is left. */
export function* stepsOf(
  {
    numRecords,
    epochs,
    batchSize,
  }: { readonly numRecords: number; readonly epochs: number } & Pick<LocalPlan, 'batchSize'>,
  rng: Rng,
): Generator<Int32Array> {
  const size = batchSize === 'all' ? numRecords : Math.min(batchSize, numRecords);
  const all = Int32Array.from({ length: numRecords }, (_, row) => row);
  if (numRecords === 0) return;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = size === numRecords ? all : shuffled(rng, numRecords);
    for (let start = 0; start < numRecords; start += size) yield order.subarray(start, start + size);
  }
}

/** A pause that does nothing until a stretch of work has lasted 50 ms, then lets the event loop turn. */
export function stretches(): () => Promise<void> {
  let deadline = performance.now() + stretchMs;
  return async () => {
    if (performance.now() < deadline) return;
    await setImmediate();
    deadline = performance.now() + stretchMs;
  };
}

const stretchMs = 50;
