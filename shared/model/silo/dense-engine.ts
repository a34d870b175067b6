import { ParleyError } from '../../errors.ts';
import { denseStack } from '../dense-layers.ts';
import type { ModelSpec } from '../spec.ts';
import {
  addDerivative,
  type Layers,
  layersOf,
  type Passed,
  passBackward,
  passForward,
} from './dense-pass.ts';
import { clippingFactor, type SiloEngine, slopesOf } from './engine.ts';
import { ofSingle, pairsOf } from './single-logit.ts';

/**
 * Stacks of dense layers in plain TypeScript and float64, without a tensor library. Its loops skip zero features, which most
 * of a table's are.
 *
 * @throws MODEL_INVALID when the model is not a stack of dense layers, or as `layoutOf`.
 */
export function denseEngine(spec: ModelSpec): SiloEngine {
  const stack = denseStack(spec);
  if (stack.type === 'other')
    throw new ParleyError(
      'MODEL_INVALID',
      `model: the dense provider trains stacks of dense layers, but ${stack.reason}; use the provider general or auto`,
    );
  const layers = layersOf(stack);
  const isSingle = spec.output.type === 'sigmoid';
  return {
    provider: 'dense',
    description: 'plain loops over dense layers',
    logits: ({ parameters, features }) => {
      const output = outputOf(passForward(layers, parameters, features));
      return isSingle ? pairsOf(output) : output;
    },
    derivative: ({ parameters, features }, byLogits, out, { clipNorm, byRepresentations } = {}) => {
      const passed = passForward(layers, parameters, features);
      const byOutput = isSingle ? ofSingle(byLogits) : byLogits;
      const top = Float64Array.from(slopesOf(byOutput, outputOf(passed)));
      const slopes = passBackward(layers, parameters, passed, {
        byOutput: top,
        byRepresentations: byRepresentations && slopesOf(byRepresentations, representationsOf(passed)),
      });
      if (clipNorm !== undefined) clipRecords(layers, passed, slopes, clipNorm);
      out.fill(0);
      for (const [index, layer] of layers.entries())
        addDerivative(layer, passed[index] ?? top, slopes[index] ?? top, out);
    },
  };
}

/** What leaves the output layer. */
function outputOf(passed: Passed): Float32Array {
  return Float32Array.from(passed.at(-1) ?? []);
}

/** What enters it. */
function representationsOf(passed: Passed): Float32Array {
  return Float32Array.from(passed.at(-2) ?? []);
}

/**
 * Scales every record's slopes so that its own derivative has at most the norm `clipNorm`. A record's derivative by a layer is the
 * outer product of its input, with a one for the bias, and its slope, so its squared norm is the product of both.
 */
function clipRecords(
  layers: Layers,
  passed: Passed,
  slopes: readonly Float64Array[],
  clipNorm: number,
): void {
  const squares = new Float64Array((slopes[0]?.length ?? 0) / (layers[0]?.units ?? 1));
  for (const [index, { inputs, units }] of layers.entries())
    for (const row of squares.keys()) {
      const input = squaredNorm(passed[index], row, inputs);
      squares[row] = (squares[row] ?? 0) + (input + 1) * squaredNorm(slopes[index], row, units);
    }
  for (const [index, { units }] of layers.entries())
    for (const [row, square] of squares.entries()) {
      const factor = clippingFactor(Math.sqrt(square), clipNorm);
      const slope = slopes[index]?.subarray(row * units, (row + 1) * units);
      slope?.forEach((value, j) => {
        slope[j] = factor === 0 ? 0 : value * factor;
      });
    }
}

function squaredNorm(values: Float64Array | undefined, row: number, width: number): number {
  let sum = 0;
  for (let at = row * width; at < (row + 1) * width; at++) sum += (values?.[at] ?? 0) ** 2;
  return sum;
}
