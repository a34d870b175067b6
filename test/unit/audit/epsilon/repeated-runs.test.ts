import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { epsilonLowerBound } from '../../../../coordinator/audit/epsilon/clopper-pearson-bound.ts';
import { type RepeatedRun, repeatedRunsBound } from '../../../../coordinator/audit/epsilon/repeated-runs.ts';

const options = { delta: 1e-5, confidence: 0.95 };
const run = (isMember: boolean, score: number): RepeatedRun => ({ isMember, score });
const runs = fc.array(fc.record({ score: fc.integer({ min: -50, max: 50 }), isMember: fc.boolean() }), {
  maxLength: 80,
});

/** Members score 2 and others 0, but for the given mistakes. */
function separated(count: number, mistakes: readonly RepeatedRun[] = []): RepeatedRun[] {
  const clear = Array.from({ length: count - mistakes.length }, (_, i) =>
    run(i % 2 === 0, i % 2 === 0 ? 2 : 0),
  );
  return [...clear, ...mistakes];
}

describe('repeatedRunsBound', () => {
  test('judges the second half at the best threshold of the first, half-way between its scores', () => {
    const mistakes = [run(true, 0.99), run(false, 1.01), run(false, 1), run(true, 1)];
    const judged = [...separated(200), ...separated(196), ...mistakes];
    const errors = { falsePositives: 2, nonMembers: 100, falseNegatives: 1, members: 100 };
    expect(repeatedRunsBound(judged, options)).toBe(epsilonLowerBound(errors, options));
    expect(repeatedRunsBound(judged, options)).toBeGreaterThan(1);
  });

  test('never looks at the second half to choose: a first half that says nothing shows nothing', () => {
    const silent = Array.from({ length: 200 }, (_, i) => run(i % 2 === 0, i % 4 < 2 ? 1 : 0));
    expect(repeatedRunsBound([...silent, ...separated(200)], options)).toBe(0);
  });

  test('shows nothing for an attack whose scores are the wrong way round', () => {
    const reversed = separated(400).map(({ score, isMember }) => run(!isMember, score));
    expect(repeatedRunsBound(separated(400), options)).toBeGreaterThan(3);
    expect(repeatedRunsBound(reversed, options)).toBe(0);
  });

  test('never exceeds what half of the runs can show, nor falls below 0, whatever the unit of scores', () => {
    fc.assert(
      fc.property(runs, (some) => {
        const bound = repeatedRunsBound(some, options);
        expect(bound).toBeGreaterThanOrEqual(0);
        expect(bound).toBeLessThanOrEqual(
          Math.max(0, -Math.log(1 - 0.025 ** (1 / Math.max(1, some.length)))),
        );
        const scaled = some.map(({ score, isMember }) => run(isMember, 4 * score - 3));
        expect(repeatedRunsBound(scaled, options)).toBe(bound);
      }),
    );
  });

  test('judges all runs at a threshold that was declared before them, at or above which a score means member', () => {
    const mistakes = [run(true, 0.99), run(false, 1.01), run(false, 1), run(true, 1)];
    const errors = { falsePositives: 2, nonMembers: 50, falseNegatives: 1, members: 50 };
    const all = separated(100, mistakes);
    expect(repeatedRunsBound(all, options, 1)).toBe(epsilonLowerBound(errors, options));
    expect(repeatedRunsBound([...all].reverse(), options, 1)).toBe(repeatedRunsBound(all, options, 1));
    expect(repeatedRunsBound(separated(100), options, 1)).toBeGreaterThan(
      repeatedRunsBound(separated(100), options),
    );
    expect(repeatedRunsBound(separated(100), options, 3)).toBe(0);
    expect(() => repeatedRunsBound([run(true, Number.NaN)], options, 1)).toThrow(
      expect.objectContaining({ code: 'NON_FINITE' }),
    );
  });

  test('is 0 for no run and for one, and refuses scores that are not finite', () => {
    expect(repeatedRunsBound([], options)).toBe(0);
    expect(repeatedRunsBound([run(true, 3)], options)).toBe(0);
    expect(() => repeatedRunsBound([run(true, Infinity), run(false, 0)], options)).toThrow(
      expect.objectContaining({ code: 'NON_FINITE' }),
    );
  });
});
