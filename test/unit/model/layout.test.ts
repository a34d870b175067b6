import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend, type Tf } from '../../../shared/model/backend.ts';
import { buildModel } from '../../../shared/model/build.ts';
import { initialParameters } from '../../../shared/model/initial.ts';
import { layoutOf, numParams } from '../../../shared/model/layout.ts';
import { assignParameters, parameterTensors, readParameters } from '../../../shared/model/parameters.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { anyDenseSpec, denseSpecs, generalSpecs } from './samples.ts';

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadBackend('cpu'));
});

const softmax = { type: 'softmax', classes: 3 };

function expectTfjsLayout(spec: ModelSpec): void {
  const built = buildModel(tf, spec);
  const layout = layoutOf(spec);
  expect(layout.map((block) => block.shape)).toEqual(built.model.weights.map((weight) => weight.shape));
  expect(numParams(spec)).toBe(built.model.countParams());
  let offset = 0;
  for (const block of layout) {
    expect(block.offset).toBe(offset);
    offset += block.size;
  }
  const values = Float32Array.from({ length: offset }, (_, i) => i + 0.5);
  const tensors = parameterTensors(tf, built, values);
  assignParameters(built, tensors);
  const back = new Float32Array(offset);
  readParameters(built, back);
  expect(back).toEqual(values);
  tf.dispose(tensors);
  built.dispose();
}

describe('layout', () => {
  test.each([...denseSpecs, ...generalSpecs])('%s: equals the weights of the tfjs model', (_, spec) => {
    expectTfjsLayout(spec);
  });

  test('any dense stack equals the weights of the tfjs model', () => {
    fc.assert(fc.property(anyDenseSpec, expectTfjsLayout), { numRuns: 30 });
  });

  test('any window equals the shapes of tfjs', () => {
    const size = fc.integer({ min: 1, max: 9 });
    const property = fc.property(
      size,
      size,
      size,
      fc.integer({ min: 1, max: 4 }),
      (height, width, k, strides) => {
        const kernelSize = Math.min(k, height, width);
        for (const layer of [
          { type: 'conv2d', filters: 2, kernelSize, strides },
          { type: 'conv2d', filters: 2, kernelSize: k, strides, padding: 'same' },
          { type: 'maxPooling2d', poolSize: kernelSize, strides },
          { type: 'averagePooling2d', poolSize: kernelSize },
        ]) {
          expectTfjsLayout(
            ModelSpec.parse({
              inputShape: [height, width, 2],
              layers: [layer, { type: 'layerNormalization' }, { type: 'flatten' }],
              output: softmax,
            }),
          );
        }
      },
    );
    fc.assert(property, { numRuns: 25 });
  });

  test('blocks are named by layer', () => {
    const [, spec] = generalSpecs[1]!;
    expect(layoutOf(spec).map((block) => block.name)).toEqual([
      'layers.0.embeddings',
      'layers.1.kernel',
      'layers.1.recurrentKernel',
      'layers.1.bias',
      'output.kernel',
      'output.bias',
    ]);
  });

  test.each([
    [[4, 4, 1], [{ type: 'dense', units: 2 }], 'layer 0 (dense)'],
    [[4, 4, 1], [], 'output (softmax)'],
    [[4], [{ type: 'flatten' }], 'layer 0 (flatten)'],
    [[4], [{ type: 'gru', units: 2 }], 'layer 0 (gru)'],
    [[4, 4], [{ type: 'conv2d', filters: 1, kernelSize: 1 }], 'layer 0 (conv2d)'],
    [[4, 3, 1], [{ type: 'maxPooling2d', poolSize: 4 }], 'at most 3, not 4'],
    [
      [4],
      [
        { type: 'dense', units: 2 },
        { type: 'embedding', vocabularySize: 3, units: 2 },
      ],
      'layer 1 (embedding)',
    ],
    [
      [2 ** 20],
      [
        { type: 'dense', units: 2 ** 20 },
        { type: 'dense', units: 1 },
      ],
      'parameters; at most',
    ],
  ])('input %j with layers %j is refused: %s', (inputShape, layers, message) => {
    const spec = ModelSpec.parse({ inputShape, layers, output: softmax });
    expect(() => layoutOf(spec)).toThrow(expect.objectContaining({ code: 'MODEL_INVALID' }));
    expect(() => layoutOf(spec)).toThrow(message);
  });
});

describe('initial parameters', () => {
  test('kernels fill the Glorot interval, embeddings +-0.05, biases are zero', () => {
    const spec = ModelSpec.parse({
      inputShape: [9],
      layers: [
        { type: 'embedding', vocabularySize: 50, units: 8 },
        { type: 'layerNormalization' },
        { type: 'gru', units: 6 },
      ],
      output: softmax,
    });
    const parameters = initialParameters(spec, seededRng(Seed.parse(8)));
    const limits = [0.05, 1, 0, Math.sqrt(6 / 26), Math.sqrt(6 / 24), 0, Math.sqrt(6 / 9), 0];
    for (const [index, { offset, size, role }] of layoutOf(spec).entries()) {
      const values = parameters.subarray(offset, offset + size);
      const largest = Math.max(...values.map(Math.abs));
      expect(largest).toBeLessThanOrEqual(limits[index]! * (1 + 1e-7));
      expect(largest).toBeGreaterThanOrEqual(0.8 * limits[index]!);
      if (role === 'gamma') expect(Math.min(...values)).toBe(1);
    }
  });

  test('fans of a convolution count its window', () => {
    const spec = ModelSpec.parse({
      inputShape: [9, 9, 3],
      layers: [{ type: 'conv2d', filters: 40, kernelSize: 5 }, { type: 'flatten' }],
      output: { type: 'sigmoid' },
    });
    const kernel = initialParameters(spec, seededRng(Seed.parse(8))).subarray(0, 3000);
    const limit = Math.sqrt(6 / (25 * 43));
    expect(Math.max(...kernel)).toBeLessThanOrEqual(limit);
    expect(Math.max(...kernel)).toBeGreaterThan(0.98 * limit);
    expect(Math.min(...kernel)).toBeLessThan(-0.98 * limit);
  });

  test('repeat for a seed, and a further layer leaves earlier ones alone', () => {
    const model = (layers: number): ModelSpec =>
      ModelSpec.parse({
        inputShape: [4],
        layers: Array.from({ length: layers }, () => ({ type: 'dense', units: 4 })),
        output: softmax,
      });
    const one = initialParameters(model(1), seededRng(Seed.parse(3)));
    expect(initialParameters(model(1), seededRng(Seed.parse(3)))).toEqual(one);
    expect(initialParameters(model(1), seededRng(Seed.parse(4)))).not.toEqual(one);
    expect(initialParameters(model(2), seededRng(Seed.parse(3))).subarray(0, 20)).toEqual(
      one.subarray(0, 20),
    );
  });
});
