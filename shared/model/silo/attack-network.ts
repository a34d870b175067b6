import type { Rng } from '../../random/rng.ts';
import { denseStack } from '../dense-layers.ts';
import { initialParameters } from '../initial.ts';
import { ModelSpec } from '../spec.ts';
import {
  addDerivative,
  type Layers,
  layersOf,
  type Passed,
  passBackward,
  passForward,
  slopeByInput,
} from './dense-pass.ts';

/** Tells members' answers from others': the answer and the label, a hidden layer of relu units, one logit. */
export interface AttackNetwork {
  readonly layers: Layers;
  /** Flat, in the order of the layers. */
  readonly parameters: Float32Array;
  readonly numClasses: number;
}

/** What a network is asked about records: shape (numRecords, numClasses) probabilities, and the true classes. */
export interface Questions {
  readonly answers: Float32Array;
  readonly labels: Int32Array;
}

/** A network that knows nothing yet. */
export function attackNetwork(numClasses: number, units: number, rng: Rng): AttackNetwork {
  const spec = ModelSpec.parse({
    inputShape: [2 * numClasses],
    layers: [{ type: 'dense', units, activation: 'relu' }],
    output: { type: 'sigmoid' },
  });
  const stack = denseStack(spec);
  if (stack.type === 'other') throw new TypeError(stack.reason);
  return { layers: layersOf(stack), parameters: initialParameters(spec, rng), numClasses };
}

/**
 * One step up the attack's gain, (mean log h over members + mean log (1 - h) over others) / 2, h the probability of a member.
 */
export function trainAttack(
  network: AttackNetwork,
  { members, others }: { readonly members: Questions; readonly others: Questions },
  learningRate: number,
): AttackNetwork {
  const derivative = new Float64Array(network.parameters.length);
  for (const [questions, target] of [
    [members, 1],
    [others, 0],
  ] as const)
    addGainDerivative(network, questions, target, derivative);
  return {
    ...network,
    parameters: network.parameters.map((value, i) => value + learningRate * (derivative[i] ?? 0)),
  };
}

function addGainDerivative(
  { layers, parameters, numClasses }: AttackNetwork,
  questions: Questions,
  target: 0 | 1,
  out: Float64Array,
): void {
  const passed = passForward(layers, parameters, inputsOf(questions, numClasses));
  const logits = logitsOf(passed);
  const top = logits.map((z) => (target - sigmoid(z)) / (2 * logits.length));
  const slopes = passBackward(layers, parameters, passed, { byOutput: top });
  for (const [index, layer] of layers.entries())
    addDerivative(layer, passed[index] ?? top, slopes[index] ?? top, out);
}

/** Mean of log h over records, and its derivative by their answers, shape (numRecords, numClasses). */
export function attackGain(
  { layers, parameters, numClasses }: AttackNetwork,
  questions: Questions,
): { readonly value: number; readonly slopes: Float64Array } {
  const passed = passForward(layers, parameters, inputsOf(questions, numClasses));
  const logits = logitsOf(passed);
  const numRecords = logits.length;
  const top = logits.map((z) => (1 - sigmoid(z)) / numRecords);
  const [lowest] = passBackward(layers, parameters, passed, { byOutput: top });
  const [first] = layers;
  if (first === undefined || lowest === undefined) throw new TypeError('an attack network has layers');
  const byInput = slopeByInput(first, parameters, lowest);
  const slopes = new Float64Array(numRecords * numClasses);
  for (let row = 0; row < numRecords; row++)
    slopes.set(byInput.subarray(2 * row * numClasses, (2 * row + 1) * numClasses), row * numClasses);
  const value = logits.reduce((sum, z) => sum - softplus(-z), 0) / numRecords;
  return { value, slopes };
}

/** Each row: the answer, then the label one-hot. */
function inputsOf({ answers, labels }: Questions, numClasses: number): Float32Array {
  const inputs = new Float32Array(2 * answers.length);
  for (const [row, label] of labels.entries()) {
    inputs.set(answers.subarray(row * numClasses, (row + 1) * numClasses), 2 * row * numClasses);
    inputs[(2 * row + 1) * numClasses + label] = 1;
  }
  return inputs;
}

function logitsOf(passed: Passed): Float64Array {
  return passed.at(-1) ?? new Float64Array(0);
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

/** log(1 + e^x) without overflow. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
