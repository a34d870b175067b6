import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { correctGuesses, guesses, oneRunLowerBound } from '../../../../coordinator/audit/epsilon/one-run.ts';
import vectors from '../../../vectors/epsilon-bounds.json' with { type: 'json' };

const options = { delta: 1e-5, confidence: 0.95 };

const audits = fc
  .record({
    canaries: fc.integer({ min: 1, max: 2000 }),
    guessed: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .chain(({ canaries, guessed }) => {
    const made = Math.ceil(canaries * guessed);
    return fc.record({
      canaries: fc.constant(canaries),
      guesses: fc.constant(made),
      correct: fc.integer({ min: 0, max: made }),
    });
  });

describe('oneRunLowerBound', () => {
  test.each(vectors.oneRun)(
    'is $epsilon for $correct right of $guesses guesses, $canaries canaries, delta $delta (SciPy)',
    ({ epsilon, delta, confidence, ...audit }) => {
      const bound = oneRunLowerBound(audit, { delta, confidence });
      expect(Math.abs(bound - epsilon)).toBeLessThan(2e-8);
    },
  );

  // algorithms of the design, section E2, by a reimplementation of the authors' program.
  test.each([
    { audit: { canaries: 1000, guesses: 1000, correct: 600 }, delta: 0, published: 0.29747 },
    { audit: { canaries: 1000, guesses: 1000, correct: 600 }, delta: 1e-5, published: 0.29723 },
    { audit: { canaries: 1000, guesses: 100, correct: 90 }, delta: 0, published: 1.63082 },
    { audit: { canaries: 1000, guesses: 100, correct: 90 }, delta: 1e-5, published: 1.62614 },
    { audit: { canaries: 1000, guesses: 100, correct: 100 }, delta: 0, published: 3.49297 },
    { audit: { canaries: 1000, guesses: 100, correct: 100 }, delta: 1e-5, published: 3.46538 },
    { audit: { canaries: 100_000, guesses: 1500, correct: 1400 }, delta: 1e-5, published: 2.37879 },
    { audit: { canaries: 5000, guesses: 500, correct: 450 }, delta: 1e-5, published: 1.94142 },
    { audit: { canaries: 1000, guesses: 1000, correct: 500 }, delta: 0, published: 0 },
  ])('is $published for $audit at delta $delta', ({ audit, delta, published }) => {
    expect(oneRunLowerBound(audit, { delta, confidence: 0.95 })).toBeCloseTo(published, 5);
  });

  test('is never negative and never above what so many guesses can show', () => {
    fc.assert(
      fc.property(audits, fc.double({ min: 0, max: 0.01, noNaN: true }), (audit, delta) => {
        const bound = oneRunLowerBound(audit, { delta, confidence: 0.95 });
        expect(bound).toBeGreaterThanOrEqual(0);
        const limit = audit.guesses === 0 ? 0 : -Math.log(0.05 ** (-1 / audit.guesses) - 1);
        expect(bound).toBeLessThanOrEqual(Math.max(0, limit) + 1e-8);
      }),
    );
  });

  test('rises with right guesses, falls with delta, confidence and canaries', () => {
    fc.assert(
      fc.property(audits, (audit) => {
        fc.pre(audit.correct < audit.guesses);
        const own = oneRunLowerBound(audit, options);
        const slack = 3e-9;
        expect(oneRunLowerBound({ ...audit, correct: audit.correct + 1 }, options)).toBeGreaterThanOrEqual(
          own - slack,
        );
        expect(oneRunLowerBound(audit, { ...options, delta: 1e-4 })).toBeLessThanOrEqual(own + slack);
        expect(oneRunLowerBound(audit, { ...options, confidence: 0.99 })).toBeLessThanOrEqual(own + slack);
        const more = { ...audit, canaries: 2 * audit.canaries };
        expect(oneRunLowerBound(more, options)).toBeLessThanOrEqual(own + slack);
      }),
    );
  });

  test('is quick with 100,000 canaries and 10,000 guesses', () => {
    const audit = { canaries: 100_000, guesses: 10_000, correct: 9000 };
    oneRunLowerBound(audit, options);
    const start = process.cpuUsage();
    for (let repeat = 0; repeat < 10; repeat++) oneRunLowerBound(audit, options);
    // 20 ms each were asked for; several times that, so that a slow machine does not fail.
    expect(process.cpuUsage(start).user / 10).toBeLessThan(100_000);
  });

  test.each([
    { canaries: 10, guesses: 11, correct: 3 },
    { canaries: 10, guesses: 5, correct: 6 },
    { canaries: 10, guesses: 5, correct: -1 },
    { canaries: 10, guesses: 5.5, correct: 1 },
  ])('refuses $correct right of $guesses guesses of $canaries canaries', (audit) => {
    expect(() => oneRunLowerBound(audit, options)).toThrow(RangeError);
  });
});

describe('guesses', () => {
  test('are the largest and the smallest scores; among equal ones the earlier canary counts as larger', () => {
    expect([...guesses(Float64Array.of(3, -1, 7, 0, 5), 2)]).toEqual([0, -1, 1, -1, 1]);
    expect([...guesses(Float64Array.of(1, 1, 1, 1, 1), 2)]).toEqual([1, 1, 0, -1, -1]);
    expect([...guesses(Float64Array.of(Infinity, -Infinity, 0), 1)]).toEqual([1, -1, 0]);
    expect([...guesses(Float64Array.of(-0, 0), 1)]).toEqual([1, -1]);
    expect([...guesses(Float64Array.of(1, 2), 0)]).toEqual([0, 0]);
  });

  test('divide any scores: none with +1 is below another, none with -1 above', () => {
    const scores = fc.float64Array({ noNaN: true, maxLength: 60 });
    fc.assert(
      fc.property(scores, fc.nat(30), (values, wanted) => {
        const perSide = Math.min(wanted, Math.floor(values.length / 2));
        const made = guesses(values, perSide);
        const having = (guess: number): number[] => [...values].filter((_, i) => made[i] === guess);
        expect(having(1)).toHaveLength(perSide);
        expect(having(-1)).toHaveLength(perSide);
        const [lowest, highest] = [Math.min(...having(1)), Math.max(...having(-1))];
        expect(having(0).every((score) => highest <= score && score <= lowest)).toBe(true);
      }),
    );
  });

  test('are refused when there are too few canaries or a score is not a number', () => {
    expect(() => guesses(Float64Array.of(1, 2, 3), 2)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(() => guesses(Float64Array.of(1, Number.NaN), 1)).toThrow(
      expect.objectContaining({ code: 'NON_FINITE' }),
    );
    expect(() => guesses(Float64Array.of(1, 2), -1)).toThrow(RangeError);
  });
});

test('correctGuesses counts guesses that the coins confirm, with either kind of coins', () => {
  const made = Int8Array.of(1, 1, -1, -1, 0, 0);
  expect(correctGuesses(made, [true, false, true, false, true, false])).toBe(2);
  expect(correctGuesses(made, Uint8Array.of(1, 1, 0, 0, 1, 0))).toBe(4);
});
