import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Answer, answerOf, firstLargest } from '../../../../shared/model/hardening/answer.ts';
import { Hardening, hardened, hardeningClass } from '../../../../shared/model/hardening/hardening.ts';
import { attackLogit, SurrogateAttack } from '../../../../shared/model/hardening/surrogate.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';

const numbers = z.array(z.number());
const swept = z.array(z.tuple([z.number(), numbers]));
/** By numpy and autograd: test/vectors/make-hardening.py. */
const Vectors = z.object({
  cases: z.array(
    z.object({
      logits: numbers,
      probabilities: numbers,
      label: z.number(),
      temperature: swept,
      rounding: swept,
      topK: swept,
    }),
  ),
  attacks: z.array(
    z.object({
      surrogate: SurrogateAttack,
      probabilities: numbers,
      logit: z.number(),
      gradient: numbers,
    }),
  ),
});
const { cases, attacks } = Vectors.parse(JSON.parse(readFileSync('test/vectors/hardening.json', 'utf8')));

const rng = () => seededRng(Seed.parse(3));

function harden(answer: Answer, ...steps: object[]): Answer {
  return hardened(answer, Hardening.parse(steps), rng());
}

function expectClose(got: ArrayLike<number>, wanted: readonly number[]): void {
  expect(got.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(1e-12);
}

describe.each(cases)('vectors of $probabilities.length classes', (vector) => {
  const answer = answerOf(vector.logits);

  test('the answer itself', () => {
    expectClose(answer.probabilities, vector.probabilities);
    expect(answer.label).toBe(vector.label);
  });

  test('temperature, rounding and top-k', () => {
    for (const [temperature, wanted] of vector.temperature)
      expectClose(harden(answer, { type: 'temperature', temperature }).probabilities, wanted);
    for (const [decimals, wanted] of vector.rounding)
      expectClose(harden(answer, { type: 'rounding', decimals }).probabilities, wanted);
    for (const [k, wanted] of vector.topK)
      expectClose(harden(answer, { type: 'top-k', k }).probabilities, wanted);
  });
});

test.each(attacks)('a surrogate on $probabilities.length classes and its slope', (vector) => {
  const { logit, gradient } = attackLogit(vector.surrogate, Float64Array.from(vector.probabilities));
  expect(logit).toBeCloseTo(vector.logit, 12);
  expectClose(gradient, vector.gradient);
});

const logits = fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 2, maxLength: 12 });
const step = fc.oneof(
  fc.record({
    type: fc.constant('temperature'),
    temperature: fc.double({ min: 0.1, max: 50, noNaN: true }),
  }),
  fc.record({ type: fc.constant('rounding'), decimals: fc.nat(15) }),
  fc.record({ type: fc.constant('top-k'), k: fc.integer({ min: 1, max: 20 }) }),
);

function expectOrderOf(before: Float64Array, after: Float64Array): void {
  for (const [i, p] of after.entries()) {
    expect(p).toBeGreaterThanOrEqual(0);
    expect(p).toBeLessThanOrEqual(1 + 1e-12);
    for (const [j, other] of after.entries())
      if (before[i]! > before[j]!) expect(p).toBeGreaterThanOrEqual(other);
  }
}

function rankOf(type: string): number {
  return type === 'temperature' ? 0 : 1;
}

describe('laws', () => {
  test('without noise the label stays, and each step keeps [0, 1] and the order of its input', () => {
    const steps = fc.uniqueArray(step, { maxLength: 3, selector: ({ type }) => type });
    fc.assert(
      fc.property(logits, steps, (values, chosen) => {
        const { label } = answerOf(values);
        // Logarithms before zeros.
        const inOrder = chosen.toSorted((a, b) => rankOf(a.type) - rankOf(b.type));
        for (const index of inOrder.keys()) {
          const before = harden(answerOf(values), ...inOrder.slice(0, index)).probabilities;
          const after = harden(answerOf(values), ...inOrder.slice(0, index + 1));
          expect(after.label).toBe(label);
          expect(after.probabilities[label]).toBe(Math.max(...after.probabilities));
          expectOrderOf(before, after.probabilities);
        }
      }),
    );
  });

  test('label only is the same for any two answers with the same label', () => {
    fc.assert(
      fc.property(logits, (values) => {
        const own = answerOf(values);
        const { label, probabilities } = harden(own, { type: 'label-only' });
        expect(label).toBe(own.label);
        expect([...probabilities]).toEqual(values.map((_, i) => (i === own.label ? 1 : 0)));
      }),
    );
  });

  test('output noise depends on the stream alone and moves the log odds by its standard deviation', () => {
    const own = answerOf([1, 0.5]);
    const noise = { type: 'output-noise', stdDev: 0.3 };
    expect(harden(own, noise)).toEqual(harden(own, noise));
    const stream = rng();
    const moves = Array.from({ length: 4000 }, (_, record) => {
      const given = hardened(own, Hardening.parse([noise]), stream.fork(`${record}`));
      expect(given.label).toBe(firstLargest(given.probabilities));
      return Math.log(given.probabilities[0]! / given.probabilities[1]!) - 0.5;
    });
    const mean = moves.reduce((sum, value) => sum + value, 0) / 4000;
    const variance = moves.reduce((sum, value) => sum + value ** 2, 0) / 4000;
    expect(Math.abs(mean)).toBeLessThan(5 * Math.sqrt(0.18 / 4000));
    expect(Math.abs(variance - 0.18)).toBeLessThan(5 * 0.18 * Math.sqrt(2 / 4000));
  });

  test('no step leaves the answer alone', () => {
    const own = answerOf([3, 1, 2]);
    expect(harden(own)).toBe(own);
    expect(own.label).toBe(0);
    expect(hardeningClass).toBe('release-time');
  });

  test('equal probabilities: the first is the label, and top-1 keeps the label', () => {
    const own = answerOf([0, 2, 2, 2]);
    expect(own.label).toBe(1);
    const kept = harden(own, { type: 'top-k', k: 1 }).probabilities;
    expect([...kept].map((p) => p > 0)).toEqual([false, true, false, false]);
  });
});

const memguard = { type: 'memguard', surrogate: attacks[0]!.surrogate };

test.each([
  [[memguard, { type: 'rounding', decimals: 2 }], 'distortion budget'],
  [[{ type: 'temperature', temperature: 2 }, memguard], 'distortion budget'],
  [[{ type: 'label-only' }, { type: 'top-k', k: 1 }], 'leaves nothing'],
  [
    [
      { type: 'top-k', k: 2 },
      { type: 'top-k', k: 1 },
    ],
    'top-k is there twice',
  ],
  [
    [
      { type: 'rounding', decimals: 2 },
      { type: 'output-noise', stdDev: 1 },
    ],
    'output-noise comes before rounding',
  ],
])('a combination that contradicts itself is refused with the reason', (steps, reason) => {
  const { success, error } = Hardening.safeParse(steps);
  expect(success).toBe(false);
  expect(error?.issues[0]?.message).toContain(reason);
});
