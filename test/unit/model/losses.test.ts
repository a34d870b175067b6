import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend, type Tf } from '../../../shared/model/backend.ts';
import { Defence } from '../../../shared/model/defence.ts';
import { logitPairs } from '../../../shared/model/losses.ts';
import { objectiveOf } from '../../../shared/model/objective.ts';
import { byHand, type Evaluate, type Outcome, tensorEvaluation } from './objective-values.ts';

/** Vectors: behaviour of the authors' code of RelaxLoss (commit fc8c68e), reference/algorithms.md C1. */
const logits = [2, 0.5, -1, 0.2, 1, 0.1, 3, -1, 0];
const labels = [0, 0, 2];

interface Vector {
  readonly name: string;
  readonly round: number;
  readonly settings: object;
  readonly loss?: number;
  /** Rows of the gradient, by record. */
  readonly gradient?: Readonly<Record<number, readonly number[]>>;
}
const cifar = { variant: 'cifar', alpha: 5 } as const;
const tabular = { variant: 'tabular', alpha: 5 } as const;
const vectors: readonly Vector[] = [
  { name: 'even, ascent', round: 0, settings: tabular, loss: 3.42481193 },
  { name: 'even, descent', round: 2, settings: { alpha: 0.5 }, loss: 1.07518807 },
  { name: 'odd above alpha', round: 1, settings: { alpha: 0.5 }, loss: 1.57518807 },
  {
    name: 'odd, cifar',
    round: 1,
    settings: cifar,
    loss: -0.48665356,
    gradient: {
      0: [0.07146766, -0.05843013, -0.01303752],
      1: [0.27403788, -0.14153482, -0.13250306],
      2: [-0.17344476, -0.15916433, 0.33260909],
    },
  },
  {
    name: 'odd, cifar, detached',
    round: 3,
    settings: { ...cifar, detachTargets: true },
    loss: -0.48665356,
    gradient: { 1: [0.25263048, -0.12631524, -0.12631524], 2: [-0.1588979, -0.1588979, 0.31779579] },
  },
  {
    name: 'odd, tabular',
    round: 1,
    settings: tabular,
    loss: 1.32977384,
    gradient: {
      0: [-0.12632575, 0.12597701, 0.00034874],
      1: [0.0214074, 0.03807269, -0.05948009],
      2: [0.13863509, -0.15344839, 0.0148133],
    },
  },
  {
    name: 'odd, tabular, detached',
    round: 1,
    settings: { ...tabular, detachTargets: true },
    loss: 1.32977384,
    gradient: {
      0: [0, 0.0226963, -0.0226963],
      1: [0, 0.05329227, -0.05329227],
      2: [0.15318195, -0.15318195, 0],
    },
  },
  {
    name: 'odd, tabular, upper 0.3',
    round: 1,
    settings: { ...tabular, upper: 0.3 },
    loss: 1.69397161,
    gradient: { 0: [0.16186568, -0.05823654, -0.10362914] },
  },
];

let tf: Tf;
let byTensors: Evaluate;
beforeAll(async () => {
  ({ tf } = await loadBackend('wasm'));
  byTensors = tensorEvaluation(tf);
});

const providers = [
  ['by hand', (): Evaluate => byHand],
  ['by tfjs', (): Evaluate => byTensors],
] as const;

describe.each(providers)('RelaxLoss %s', (_, evaluation) => {
  test.each(vectors)('$name', ({ round, settings, loss, gradient }) => {
    const defence = Defence.parse({ type: 'relaxloss', ...settings });
    const outcome = evaluation()(logits, labels, objectiveOf(defence, { round, epoch: 0, numClasses: 3 }));
    if (loss !== undefined) expect(Math.abs(outcome.loss - loss)).toBeLessThan(1e-6);
    for (const [row, expected] of Object.entries(gradient ?? {})) {
      for (const [j, value] of expected.entries()) {
        expect(Math.abs(outcome.gradient[3 * Number(row) + j]! - value)).toBeLessThan(1e-6);
      }
    }
  });

  test('the even phase turns the gradient of the cross-entropy round below alpha, and stops at alpha', () => {
    const evaluate = evaluation();
    const plain = evaluate(logits, labels, { type: 'cross-entropy' });
    const at = (alpha: number): Outcome =>
      evaluate(
        logits,
        labels,
        objectiveOf(Defence.parse({ type: 'relaxloss', alpha }), { round: 0, epoch: 1, numClasses: 3 }),
      );
    expect(at(0.5).gradient).toEqual(plain.gradient);
    expect(at(5).gradient).toEqual(plain.gradient.map((value) => -value));
    expect(at(plain.loss).gradient.every((value) => value === 0)).toBe(true);
    expect(Math.abs(plain.loss - 1.57518807)).toBeLessThan(1e-6);
  });
});

test('by hand and by tfjs agree on any logits', () => {
  const batch = fc.integer({ min: 2, max: 6 }).chain((numClasses) =>
    fc.array(
      fc.record({
        row: fc.array(fc.double({ min: -12, max: 12, noNaN: true }), {
          minLength: numClasses,
          maxLength: numClasses,
        }),
        label: fc.nat(numClasses - 1),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  );
  const settings = fc.record({
    type: fc.constant('relaxloss' as const),
    alpha: fc.constantFrom(0.05, 0.7, 3, 20),
    upper: fc.constantFrom(1, 0.3),
    variant: fc.constantFrom('cifar', 'tabular'),
    detachTargets: fc.boolean(),
  });
  fc.assert(
    fc.property(batch, settings, fc.nat(1), (records, chosen, round) => {
      const values = records.flatMap((record) => record.row.map(Math.fround));
      const classes = records.map((record) => record.label);
      const objective = objectiveOf(Defence.parse(chosen), { round, epoch: 0, numClasses: 3 });
      const hand = byHand(values, classes, objective);
      const tensors = byTensors(values, classes, objective);
      expect(Math.abs(hand.loss - tensors.loss)).toBeLessThan(1e-4 * (1 + Math.abs(hand.loss)));
      for (const [i, value] of hand.gradient.entries()) {
        expect(Math.abs(value - tensors.gradient[i]!)).toBeLessThan(2e-5);
      }
    }),
    { seed: 1 },
  );
});

test('the phase follows the round or the local epoch', () => {
  const phases = (parity: 'round' | 'epoch'): string[] =>
    [0, 1, 2, 3].map((round) => {
      const objective = objectiveOf(Defence.parse({ type: 'relaxloss', alpha: 1, parity }), {
        round,
        epoch: 2,
        numClasses: 3,
      });
      return objective.type === 'relaxloss' ? objective.phase : objective.type;
    });
  expect(phases('round')).toEqual(['approach', 'flatten', 'approach', 'flatten']);
  expect(phases('epoch')).toEqual(['approach', 'approach', 'approach', 'approach']);
  expect(objectiveOf({ type: 'none' }, { round: 1, epoch: 1, numClasses: 2 })).toEqual({
    type: 'cross-entropy',
  });
});

test('a sigmoid logit is the second of a pair', () => {
  const pairs = tf.tidy(() => [...logitPairs(tf, tf.tensor2d([[1.5], [-2]])).dataSync()]);
  expect(pairs).toEqual([0, 1.5, 0, -2]);
});
