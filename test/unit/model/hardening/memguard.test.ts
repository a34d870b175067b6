import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerOf } from '../../../../shared/model/hardening/answer.ts';
import { distance, guarded } from '../../../../shared/model/hardening/memguard.ts';
import {
  attackLogit,
  type SurrogateAttack,
  trainSurrogate,
} from '../../../../shared/model/hardening/surrogate.ts';
import { standardNormals } from '../../../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';

const rng = seededRng(Seed.parse(11));

/** A stream whose coin is known. */
function coin(value: number): Rng {
  return { ...rng, uniform: () => value };
}

/** Answers of a model that is surer of members: logits of the label higher by `sure`. */
function answers(count: number, sure: number, classes: number, label: string): Float64Array[] {
  const stream = rng.fork(label);
  return Array.from({ length: count }, () => {
    const logits = standardNormals(stream, classes);
    logits[stream.uint32() % classes]! += sure;
    return answerOf(logits).probabilities;
  });
}

function surrogateFor(classes: number): SurrogateAttack {
  const members = answers(200, 5, classes, `members ${classes}`);
  const heldOut = answers(200, 2, classes, `held-out ${classes}`);
  return trainSurrogate({ members, heldOut }, rng.fork(`surrogate ${classes}`));
}

const surrogates = new Map([2, 3, 10].map((classes) => [classes, surrogateFor(classes)]));

describe.each([...surrogates])('%i classes', (classes, surrogate) => {
  const logits = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), {
    minLength: classes,
    maxLength: classes,
  });

  test('the surrogate finds members that are surer', () => {
    const scores = (sure: number): number[] =>
      answers(300, sure, classes, `fresh ${sure}`).map((answer) => attackLogit(surrogate, answer).logit);
    const [members, heldOut] = [scores(5), scores(2)];
    const pairs = members.flatMap((member) => heldOut.map((other) => (member > other ? 1 : 0)));
    expect(pairs.reduce<number>((sum, win) => sum + win, 0) / pairs.length).toBeGreaterThan(0.8);
  });

  test('the label stays the only largest on every answer, and answers stay probabilities', () => {
    fc.assert(
      fc.property(logits, (values) => {
        const own = answerOf(values);
        const given = guarded(own, { surrogate, budget: 2 }, coin(0));
        expect(given.label).toBe(own.label);
        const sum = given.probabilities.reduce((total, p) => total + p, 0);
        expect(sum).toBeCloseTo(1, 12);
        if (given === own) return;
        for (const [j, p] of given.probabilities.entries()) {
          expect(p).toBeGreaterThanOrEqual(0);
          if (j !== own.label) expect(p).toBeLessThan(given.probabilities[own.label]!);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('the average distortion over the coin is within the budget, whatever the budget', () => {
    fc.assert(
      fc.property(logits, fc.double({ min: 0, max: 2, noNaN: true }), (values, budget) => {
        const own = answerOf(values);
        const far = guarded(own, { surrogate, budget: 2 }, coin(0));
        const distortion = distance(far.probabilities, own.probabilities);
        const probability = distortion > budget ? budget / distortion : 1;
        // The coin decides at the probability that makes the average the budget.
        const below = guarded(own, { surrogate, budget }, coin(Math.max(0, probability - 1e-9)));
        if (probability > 1e-9) expect(below.probabilities).toEqual(far.probabilities);
        if (probability < 1) expect(guarded(own, { surrogate, budget }, coin(probability))).toBe(own);
        expect(probability * distortion).toBeLessThanOrEqual(budget + 1e-12);
      }),
      { numRuns: 100 },
    );
  });

  test('the surrogate is never surer than before', () => {
    fc.assert(
      fc.property(logits, (values) => {
        const own = answerOf(values);
        const given = guarded(own, { surrogate, budget: 2 }, coin(0));
        const [before, after] = [own, given].map(({ probabilities }) =>
          Math.abs(attackLogit(surrogate, probabilities).logit),
        );
        expect(after).toBeLessThanOrEqual(before!);
      }),
      { numRuns: 150 },
    );
  });

  test('the surrogate can hardly decide any more', () => {
    const fresh = answers(100, 5, classes, 'guarded');
    const logitsOf = (given: readonly Float64Array[]): number =>
      given.reduce((sum, answer) => sum + Math.abs(attackLogit(surrogate, answer).logit), 0) / given.length;
    const hidden = fresh.map(
      (probabilities) =>
        guarded(answerOf(probabilities.map(Math.log)), { surrogate, budget: 2 }, coin(0)).probabilities,
    );
    expect(logitsOf(hidden)).toBeLessThan(0.3 * logitsOf(fresh));
  });
});

test('a budget of nothing gives the model’s own answers', () => {
  const own = answerOf([4, 1, 0]);
  expect(guarded(own, { surrogate: surrogates.get(3)!, budget: 0 }, coin(0))).toBe(own);
});
