import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordSignals } from '../../../shared/model/evaluate.ts';
import { initialParameters } from '../../../shared/model/initial.ts';
import { signalsOf } from '../../../shared/model/record-signals.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { generalSpecs, ragged, randomTask } from './samples.ts';

function signals(rows: readonly (readonly number[])[], labels: readonly number[]) {
  return signalsOf(
    { values: Float64Array.from(rows.flat()), numClasses: rows[0]!.length },
    Int32Array.from(labels),
  );
}

/** Vectors of reference/algorithms.md D1, as the attacks' public code computes them. */
test('scores of known logits', () => {
  const rows = [
    [2, 0.5, -1],
    [0.2, 1, 0.1],
    [3, -1, 0],
  ];
  const got = signals(rows, [0, 0, 2]);
  const expected = {
    loss: [0.2413113, 1.41836901, 3.0658839],
    entropy: [0.6215846, 1.00921787, 0.27431307],
    modifiedEntropy: [0.08708103, 1.54617226, 5.5003854],
    margin: [1.29858672, -1.14115387, -3.01814993],
    hinge: [1.5, -0.8, -3],
  };
  for (const name of ['loss', 'entropy', 'modifiedEntropy', 'margin', 'hinge'] as const) {
    for (const [i, value] of expected[name].entries()) expect(got[name][i]).toBeCloseTo(value, 6);
  }
});

test('signals do not saturate where a probability rounds to one', () => {
  const { loss, margin, hinge, entropy, modifiedEntropy } = signals(
    [
      [35, 0],
      [80, 0],
      [80, 0],
      [900, 0],
    ],
    [0, 0, 1, 1],
  );
  expect([...margin]).toEqual([35, 80, -80, -900]);
  expect([...hinge]).toEqual([35, 80, -80, -900]);
  expect(loss[0]! / Math.exp(-35)).toBeCloseTo(1, 6);
  expect(loss[1]! / Math.exp(-80)).toBeCloseTo(1, 6);
  expect([loss[2], loss[3]]).toEqual([80, 900]);
  expect(modifiedEntropy[0]! / (2 * Math.exp(-70))).toBeCloseTo(1, 6);
  // H(p) = q (1 - log q) up to terms of q squared, with q = e^-35 here.
  expect(entropy[0]! / (36 * Math.exp(-35))).toBeCloseTo(1, 6);
  expect(entropy[3]).toBe(0);
  expect([modifiedEntropy[2], modifiedEntropy[3]]).toEqual([160, 1800]);
});

test('signals agree with the textbook formulas on moderate logits', () => {
  const record = fc.integer({ min: 2, max: 6 }).chain((numClasses) =>
    fc.record({
      row: fc.array(fc.double({ min: -6, max: 6, noNaN: true }), {
        minLength: numClasses,
        maxLength: numClasses,
      }),
      label: fc.nat(numClasses - 1),
    }),
  );
  fc.assert(
    fc.property(record, ({ row, label }) => {
      const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
      const p = row.map((logit) => Math.exp(logit) / total);
      const pTrue = p[label]!;
      const others = p.filter((_, j) => j !== label);
      const entropy =
        -(1 - pTrue) * Math.log(pTrue) - others.reduce((sum, q) => sum + q * Math.log(1 - q), 0);
      const got = signals([row], [label]);
      expect(Math.abs(got.loss[0]! + Math.log(pTrue))).toBeLessThan(1e-5);
      expect(Math.abs(got.margin[0]! - Math.log(pTrue / (1 - pTrue)))).toBeLessThan(1e-5);
      expect(got.modifiedEntropy[0]! / entropy).toBeCloseTo(1, 4);
      const rivals = row.filter((_, j) => j !== label);
      expect(got.hinge[0]).toBe(Math.fround(row[label]! - Math.max(...rivals)));
    }),
  );
});

test('a record has the same signals alone and in a large batch', async () => {
  const spec = ModelSpec.parse({
    inputShape: [4],
    layers: [{ type: 'dense', units: 3, activation: 'tanh' }],
    output: { type: 'sigmoid' },
  });
  for (const model of [spec, ...generalSpecs.map(([, other]) => other)]) {
    const { parameters, shard } = randomTask(model, Array<number>(300).fill(1), {});
    const all = await recordSignals(model, parameters, shard);
    expect(all.loss).toHaveLength(300);
    for (const index of [0, 255, 256, 299]) {
      const features = shard.features.slice(index * shard.numFeatures, (index + 1) * shard.numFeatures);
      const alone = await recordSignals(model, parameters, {
        features,
        labels: shard.labels.slice(index, index + 1),
      });
      expect(alone.loss[0]).toBeCloseTo(all.loss[index]!, 5);
      expect(alone.margin[0]).toBeCloseTo(all.margin[index]!, 5);
    }
  }
});

test('a logistic model gives the logit that its weights say, with the sign of the label', async () => {
  const spec = ModelSpec.parse({ inputShape: [2], output: { type: 'sigmoid' } });
  const { margin } = await recordSignals(spec, Float32Array.of(3, -2, 0.5), {
    features: Float32Array.of(1, 2, 1, 2),
    labels: Int32Array.of(1, 0),
  });
  expect([...margin]).toEqual([-0.5, 0.5]);
});

test('records that a model cannot take are refused by record and feature', async () => {
  const [, spec] = generalSpecs[1]!;
  const rng = seededRng(Seed.parse(5));
  const parameters = initialParameters(spec, rng);
  const { shard } = randomTask(spec, ragged, {});
  const features = shard.features.slice();
  features[13] = 11;
  await expect(recordSignals(spec, parameters, { ...shard, features })).rejects.toThrow(
    'record 2, feature 3: the model cannot take 11',
  );
  const labels = shard.labels.map(() => 2);
  await expect(recordSignals(spec, parameters, { ...shard, labels })).rejects.toMatchObject({
    code: 'DATA_VALUE_INVALID',
  });
  await expect(recordSignals(spec, parameters.subarray(1), shard)).rejects.toMatchObject({
    code: 'WRONG_SHAPE',
  });
  const none = await recordSignals(spec, parameters, {
    features: new Float32Array(),
    labels: new Int32Array(),
  });
  expect(none.loss).toHaveLength(0);
});
