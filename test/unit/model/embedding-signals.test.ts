import { describe, expect, test } from 'vitest';
import { embeddingSignals } from '../../../shared/model/embedding-signals.ts';
import { auditSignals, recordSignals } from '../../../shared/model/evaluate.ts';
import { numParams } from '../../../shared/model/layout.ts';
import { embeddingNames } from '../../../shared/model/signals.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

/** Users whose records are their own embeddings, in the plane. */
async function signalsOf(users: readonly (readonly [number, number][])[], fresh?: readonly number[]) {
  const rows = Float32Array.from(users.flat(2));
  const userOffsets = new Int32Array(users.length + 1);
  users.forEach((records, user) => {
    userOffsets[user + 1] = userOffsets[user]! + records.length;
  });
  return embeddingSignals(
    { values: rows, width: 2 },
    {
      features: rows,
      userOffsets,
      isReference: users.map((_, user) => user >= 2),
      freshCounts: Int32Array.from(fresh ?? users.map(() => 0)),
    },
  );
}

describe('embedding statistics', () => {
  test('of known directions, whatever their length', async () => {
    const got = await signalsOf([
      [
        [3, 0],
        [0, 5],
      ],
      [[1, 0]],
      [
        [-2, 0],
        [0, -1],
      ],
    ]);
    // Two unit vectors at a right angle: sqrt(2) apart, each half of that from their middle; the middles are sqrt(2) apart.
    expect(got.pair[0]).toBeCloseTo(Math.SQRT2, 6);
    expect(got.compactness[0]).toBeCloseTo(Math.SQRT1_2, 6);
    expect(got.separation[0]).toBeCloseTo(Math.SQRT2, 6);
    expect([got.pair[1], got.compactness[1], got.separation[1]]).toEqual([-1, -1, -1]);
    // The only reference user has no other one to be compared with.
    expect(got.separation[2]).toBe(-1);
  });

  test('do not change when records are repeated', async () => {
    const once: [number, number][] = [
      [1, 0],
      [0, 1],
    ];
    const [a, b] = await Promise.all([
      signalsOf([once, [[1, 1]], [[1, 0]]]),
      signalsOf([
        [...once, ...once, [1, 0]],
        [
          [1, 1],
          [1, 1],
        ],
        [[1, 0]],
      ]),
    ]);
    expect(b).toEqual(a);
  });

  test('look at fresh records only where there are some', async () => {
    const user: [number, number][] = [
      [9, 1],
      [1, 0],
      [0, 1],
    ];
    const got = await signalsOf([user, user, user], [2, 0, 1]);
    expect(got.pair[0]).toBeCloseTo(Math.SQRT2, 6);
    expect([got.pair[1], got.pair[2]]).toEqual([-1, -1]);
  });
});

describe('what a site sends of its audit users', () => {
  const rng = seededRng(Seed.parse(4));
  const conv = ModelSpec.parse({
    inputShape: [4, 4, 1],
    layers: [{ type: 'conv2d', filters: 2, kernelSize: 3, activation: 'relu' }, { type: 'flatten' }],
    output: { type: 'softmax', classes: 3 },
  });
  const dense = ModelSpec.parse({
    inputShape: [16],
    layers: [{ type: 'dense', units: 5, activation: 'tanh' }],
    output: { type: 'sigmoid' },
  });
  const numRecords = 600;
  const records = {
    features: Float32Array.from(standardNormals(rng, numRecords * 16)),
    labels: new Int32Array(numRecords),
    userOffsets: Int32Array.from({ length: numRecords / 3 + 1 }, (_, user) => 3 * user),
    isReference: Array.from({ length: numRecords / 3 }, (_, user) => user % 4 === 0),
    freshCounts: new Int32Array(numRecords / 3),
  };

  test.each([
    ['dense', dense],
    ['convolutional', conv],
  ])('is the signals of every record, and the embedding of a %s model', async (_, spec) => {
    const parameters = Float32Array.from(standardNormals(rng, numParams(spec)));
    const { embedding, ...signals } = await auditSignals(spec, parameters, records);
    expect(signals).toEqual(await recordSignals(spec, parameters, records));
    for (const name of embeddingNames)
      expect(embedding![name].every((value) => value >= 0 && value <= 2)).toBe(true);
    expect(new Set(embedding!.pair).size).toBeGreaterThan(50);
  });

  test('has no embedding without a hidden layer', async () => {
    const spec = ModelSpec.parse({
      inputShape: [4, 4],
      layers: [{ type: 'flatten' }],
      output: { type: 'sigmoid' },
    });
    expect(await auditSignals(spec, new Float32Array(17), records)).not.toHaveProperty('embedding');
  });
});
