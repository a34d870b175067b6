import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Signals } from '../../../shared/model/signals.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import type { NoisedUpdate } from '../../../shared/privacy/update.ts';
import {
  decodedModel,
  decodedSignals,
  decodedUpdate,
  encodedModel,
  encodedSignals,
  encodedUpdate,
  type SignalsShape,
  signalsBytes,
  updateBytes,
} from '../../../shared/protocol/payloads.ts';
import { decodeTensors, encodeTensors } from '../../../shared/protocol/safetensors.ts';
import { withCode } from '../../support/with-code.ts';

const finiteFloats = (length: number) =>
  fc.float32Array({ minLength: length, maxLength: length, noNaN: true, noDefaultInfinity: true });

function fiveOf<T>(one: T): [T, T, T, T, T] {
  return [one, one, one, one, one];
}

describe('updates', () => {
  test('come back exactly, in the exact size', () => {
    fc.assert(
      fc.property(fc.int32Array({ maxLength: 50 }), (values) => {
        const bytes = encodedUpdate(values as unknown as NoisedUpdate);
        expect(bytes.length).toBe(updateBytes(values.length));
        expect(decodedUpdate(bytes, values.length)).toEqual(values);
        expect(() => decodedUpdate(bytes, values.length + 1)).toThrow(withCode('WRONG_SHAPE'));
      }),
    );
  });

  test('are the file that the reference implementation writes', () => {
    const file = new Uint8Array(readFileSync(new URL('../../vectors/update.safetensors', import.meta.url)));
    expect(encodedUpdate(Int32Array.of(3, -4, 5) as NoisedUpdate)).toEqual(file);
    expect(decodedUpdate(file, 3)).toEqual(Int32Array.of(3, -4, 5));
  });

  test('of another type, shape or name are refused', () => {
    const data = new Float32Array(4);
    const others = [
      encodeTensors([{ name: 'update', dtype: 'F32', shape: [4], data }]),
      encodeTensors([{ name: 'update', dtype: 'I32', shape: [2, 2], data: new Int32Array(4) }]),
      encodeTensors([{ name: 'delta', dtype: 'I32', shape: [4], data: new Int32Array(4) }]),
      encodeTensors([
        { name: 'update', dtype: 'I32', shape: [4], data: new Int32Array(4) },
        { name: 'loss', dtype: 'F32', shape: [4], data },
      ]),
    ];
    for (const bytes of others) expect(() => decodedUpdate(bytes, 4)).toThrow(withCode('WRONG_SHAPE'));
  });
});

describe('signals', () => {
  const signals = fc
    .nat(8)
    .chain((n) => fc.tuple(fc.tuple(...fiveOf(finiteFloats(n))), finiteFloats(n), fc.boolean()))
    .map(([[loss, margin, hinge, entropy, modifiedEntropy], users, hasEmbedding]): Signals => {
      const embedding = { compactness: users, pair: users.map((x) => -x), separation: users };
      const records = { loss, margin, hinge, entropy, modifiedEntropy };
      return hasEmbedding ? { ...records, embedding } : records;
    });
  const shapeOf = ({ loss, embedding }: Signals): SignalsShape => ({
    numRecords: loss.length,
    numUsers: embedding?.pair.length ?? 0,
    hasEmbedding: embedding !== undefined,
  });

  test('come back exactly, in the exact size', () => {
    fc.assert(
      fc.property(signals, (given) => {
        const bytes = encodedSignals(given);
        expect(bytes.length).toBe(signalsBytes(shapeOf(given)));
        expect(decodedSignals(bytes, shapeOf(given))).toEqual(given);
        const shape = shapeOf(given);
        const others = [
          { ...shape, numRecords: shape.numRecords + 1 },
          { ...shape, hasEmbedding: !shape.hasEmbedding },
          ...(shape.hasEmbedding ? [{ ...shape, numUsers: shape.numUsers + 1 }] : []),
        ];
        for (const other of others)
          expect(() => decodedSignals(bytes, other)).toThrow(withCode('WRONG_SHAPE'));
      }),
    );
  });

  test.each([NaN, Infinity, -Infinity])('with %s are neither sent nor taken', (value) => {
    const fine = Float32Array.of(0, 1);
    const bad = Float32Array.of(0, value);
    const rest = { hinge: fine, entropy: fine, modifiedEntropy: fine };
    expect(() => encodedSignals({ loss: fine, margin: bad, ...rest })).toThrow(withCode('NON_FINITE'));
    const bytes = encodeTensors(
      ['loss', 'margin', 'hinge', 'entropy', 'modifiedEntropy'].map((name) => ({
        name,
        dtype: 'F32',
        shape: [2],
        data: name === 'modifiedEntropy' ? bad : fine,
      })),
    );
    expect(() => decodedSignals(bytes, { numRecords: 2, numUsers: 0, hasEmbedding: false })).toThrow(
      withCode('NON_FINITE'),
    );
  });
});

describe('models', () => {
  const spec = ModelSpec.parse({
    inputShape: [2],
    layers: [{ type: 'dense', units: 3, activation: 'relu' }],
    output: { type: 'sigmoid' },
  });
  // Order of the flat parameters is not alphabetical.
  const layout = [
    { name: 'layers.0.kernel', shape: [2, 3], offset: 0, size: 6 },
    { name: 'layers.0.bias', shape: [3], offset: 6, size: 3 },
    { name: 'output.kernel', shape: [3, 1], offset: 9, size: 3 },
    { name: 'output.bias', shape: [1], offset: 12, size: 1 },
  ];

  test('come back exactly, whatever the parameters', () => {
    fc.assert(
      fc.property(finiteFloats(13), (parameters) => {
        const bytes = encodedModel(parameters, spec, layout);
        expect(decodedModel(bytes, 13)).toEqual(parameters);
        expect(() => decodedModel(bytes, 12)).toThrow(withCode('WRONG_SHAPE'));
      }),
    );
  });

  test('are named tensors with the specification beside them', () => {
    const { tensors, metadata } = decodeTensors(
      encodedModel(Float32Array.from(Array(13).keys()), spec, layout),
    );
    expect(tensors.get('output.kernel')).toMatchObject({ shape: [3, 1], data: Float32Array.of(9, 10, 11) });
    expect(JSON.parse(metadata['spec'] ?? '')).toEqual(spec);
  });

  test('have the same bytes however the specification was written down', () => {
    const { output, layers, inputShape } = spec;
    const parameters = new Float32Array(13);
    expect(encodedModel(parameters, { output, layers, inputShape }, layout)).toEqual(
      encodedModel(parameters, spec, layout),
    );
  });

  test('with a parameter that is no number are neither written nor read', () => {
    const parameters = new Float32Array(13).fill(NaN, 12);
    expect(() => encodedModel(parameters, spec, layout)).toThrow(withCode('NON_FINITE'));
    const bytes = encodeTensors([{ name: 'a', dtype: 'F32', shape: [13], data: parameters }], {
      order: '["a"]',
    });
    expect(() => decodedModel(bytes, 13)).toThrow(withCode('NON_FINITE'));
  });

  test('are refused when layout, order and tensors disagree', () => {
    const parameters = new Float32Array(13);
    expect(() => encodedModel(parameters, spec, layout.slice(1))).toThrow(withCode('WRONG_SHAPE'));
    expect(() => encodedModel(new Float32Array(14), spec, layout)).toThrow(withCode('WRONG_SHAPE'));
    for (const order of [undefined, 'x', '["a","a"]', '["b"]', '[]', '{}']) {
      const bytes = encodeTensors(
        [{ name: 'a', dtype: 'F32', shape: [13], data: parameters }],
        order === undefined ? {} : { order },
      );
      expect(() => decodedModel(bytes, 13)).toThrow(withCode('WRONG_SHAPE'));
    }
  });
});
