import { denseStack } from './dense-layers.ts';
import { denseRun, type Outputs } from './dense-logits.ts';
import { type ModelSpec, numClasses } from './spec.ts';

/** A model with fixed parameters, ready to be run. It owns tensors or memory until `dispose`. */
export interface OutputSource {
  /** Outputs of features of shape (numRecords, numFeatures), which are not checked. */
  run(features: Float32Array): Outputs;
  dispose(): void;
}

/**
 * Make a model ready: stacks of dense layers in float64, others by tfjs.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export async function outputSource(spec: ModelSpec, parameters: Float32Array): Promise<OutputSource> {
  const stack = denseStack(spec);
  if (stack.type === 'dense') {
    const { outputs, dispose } = denseRun(stack, parameters);
    return { run: outputs, dispose };
  }
  const [{ loadBackend }, { tensorLogits }] = await Promise.all([
    import('./backend.ts'),
    import('./tensor-logits.ts'),
  ]);
  return tensorLogits(spec, parameters, await loadBackend('auto'));
}

/**
 * Writes the logits of a batch whose first record is `start` into `values`, shape (numRecords, numClasses). A sigmoid output's
 * logit z stands for the pair (0, z).
 */
export function addLogits(
  spec: ModelSpec,
  values: Float64Array,
  logits: Outputs['logits'],
  start: number,
): void {
  if (spec.output.type === 'softmax') values.set(logits, start * numClasses(spec));
  else for (const [row, logit] of logits.entries()) values[2 * (start + row) + 1] = logit;
}
