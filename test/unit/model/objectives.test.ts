import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { loadBackend } from '../../../shared/model/backend.ts';
import { Defence, SingleDefence } from '../../../shared/model/defence.ts';
import { type Objective, objectiveOf, shareOfEntropy } from '../../../shared/model/objective.ts';
import { byHand, type Evaluate, tensorEvaluation } from './objective-values.ts';

/** Written by autograd: test/vectors/make-objectives.py. */
const Cases = z.object({
  cases: z.array(
    z.object({
      defences: z.array(SingleDefence).min(1),
      classes: z.number(),
      logits: z.array(z.number()),
      labels: z.array(z.number()),
      mixed: z.object({ partners: z.array(z.number()), share: z.number() }).optional(),
      loss: z.number(),
      gradient: z.array(z.number()),
    }),
  ),
});
const { cases } = Cases.parse(JSON.parse(readFileSync('test/vectors/objectives.json', 'utf8')));

let byTensors: Evaluate;
beforeAll(async () => {
  byTensors = tensorEvaluation((await loadBackend('wasm')).tf);
});

function together(defences: readonly SingleDefence[]): Defence {
  return Defence.parse(defences.length === 1 ? defences[0] : { type: 'combined', defences });
}

describe.each([
  ['by hand', (): Evaluate => byHand],
  ['by tfjs', (): Evaluate => byTensors],
] as const)('%s', (_, evaluation) => {
  test.each(cases)(
    '$defences, $classes classes',
    ({ defences, classes, logits, labels, mixed, ...wanted }) => {
      const objective = objectiveOf(together(defences), { round: 0, epoch: 0, numClasses: classes });
      const partners = mixed && { share: mixed.share, partners: Int32Array.from(mixed.partners) };
      const { loss, gradient } = evaluation()(logits, labels, objective, partners);
      expect(Math.abs(loss - wanted.loss)).toBeLessThan(1e-6 * Math.max(1, Math.abs(wanted.loss)));
      for (const [i, value] of gradient.entries())
        expect(Math.abs(value - wanted.gradient[i]!)).toBeLessThan(1e-6);
    },
  );
});

const batch = fc.integer({ min: 2, max: 6 }).chain((numClasses) =>
  fc.array(
    fc.record({
      row: fc.array(fc.double({ min: -12, max: 12, noNaN: true }), {
        minLength: numClasses,
        maxLength: numClasses,
      }),
      label: fc.nat(numClasses - 1),
      partner: fc.nat(numClasses - 1),
    }),
    { minLength: 1, maxLength: 5 },
  ),
);

const objective: fc.Arbitrary<Objective> = fc.record({
  type: fc.constant('soft-targets' as const),
  trueShare: fc.double({ min: 0, max: 1, noNaN: true }),
  entropyWeight: fc.constantFrom(0, 0.1, 3),
  targetEntropy: fc.constantFrom(0, 0.4),
});

test('by hand and by tfjs agree on any logits, and the derivative leaves the sum of the logits alone', () => {
  fc.assert(
    fc.property(batch, objective, fc.double({ min: 0, max: 1, noNaN: true }), (records, chosen, share) => {
      const values = records.flatMap((record) => record.row.map(Math.fround));
      const labels = records.map((record) => record.label);
      const mixed = { partners: Int32Array.from(records, (record) => record.partner), share };
      const hand = byHand(values, labels, chosen, mixed);
      const tensors = byTensors(values, labels, chosen, mixed);
      expect(Math.abs(hand.loss - tensors.loss)).toBeLessThan(1e-4 * (1 + Math.abs(hand.loss)));
      for (const [i, value] of hand.gradient.entries())
        expect(Math.abs(value - tensors.gradient[i]!)).toBeLessThan(3e-5);
      expect(Math.abs(hand.gradient.reduce((sum, value) => sum + value, 0))).toBeLessThan(1e-5);
    }),
    { seed: 1 },
  );
});

test('the edges are the plain cross-entropy: share 1, no weight, records mixed with themselves', () => {
  fc.assert(
    fc.property(batch, fc.double({ min: 0, max: 1, noNaN: true }), (records, share) => {
      const values = records.flatMap((record) => record.row.map(Math.fround));
      const labels = records.map((record) => record.label);
      const soft = objectiveOf(together([{ type: 'mixup', concentration: 1 }]), aStep(values.length));
      const plain = byHand(values, labels, { type: 'cross-entropy' });
      const mixed = byHand(values, labels, soft, { partners: Int32Array.from(labels), share });
      expect(mixed.loss).toBeCloseTo(plain.loss, 5);
      for (const [i, value] of mixed.gradient.entries()) expect(value).toBeCloseTo(plain.gradient[i]!, 6);
    }),
    { seed: 1 },
  );
});

function aStep(numClasses: number) {
  return { round: 0, epoch: 0, numClasses };
}

test('a non-finite logit makes a non-finite derivative, never a quiet one', () => {
  const penalty = objectiveOf(together([{ type: 'confidence-penalty', entropyWeight: 0.1 }]), aStep(3));
  for (const bad of [NaN, Infinity])
    expect(byHand([1, bad, 0], [0], penalty).gradient.some((value) => Number.isNaN(value))).toBe(true);
});

test('the share of an entropy reaches it and no share above does', () => {
  const entropyOf = (share: number, classes: number): number =>
    Array.from({ length: classes }, (_, j) => (j === 0 ? share : (1 - share) / (classes - 1)))
      .filter((p) => p > 0)
      .reduce((sum, p) => sum - p * Math.log(p), 0);
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.integer({ min: 2, max: 1000 }),
      (part, classes) => {
        const share = shareOfEntropy(part, classes);
        expect(share).toBeGreaterThanOrEqual(1 / classes);
        expect(entropyOf(share, classes)).toBeCloseTo(part * Math.log(classes), 9);
        expect(entropyOf(Math.min(1, share + 1e-6), classes)).toBeLessThan(part * Math.log(classes));
      },
    ),
  );
});
