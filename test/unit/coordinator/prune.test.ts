import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isPruningRound, Pruning, prunedMask } from '../../../coordinator/aggregate/prune.ts';
import { layoutOf, numParams } from '../../../shared/model/layout.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { quantilesOf } from '../../../shared/stats/quantiles.ts';

const spec = ModelSpec.parse({
  inputShape: [3],
  layers: [
    { type: 'dense', units: 4 },
    { type: 'dense', units: 2 },
  ],
  output: { type: 'softmax', classes: 3 },
});
const layout = layoutOf(spec);

/** Few values, so that many are equal. */
const models = fc.array(fc.integer({ min: -4, max: 4 }), {
  minLength: numParams(spec),
  maxLength: numParams(spec),
});
const settings = fc.record({
  scope: fc.constantFrom('global', 'per-tensor'),
  biases: fc.boolean(),
  outputLayer: fc.boolean(),
  initialShare: fc.constant(0.1),
});
const shares = fc.double({ min: 0.05, max: 0.95, noNaN: true });

test('prunes the smallest of what is left, step by step, and never beyond the most', () => {
  fc.assert(
    fc.property(models, settings, shares, shares, (values, chosen, share, maxShare) => {
      const pruning = Pruning.parse(chosen);
      const parameters = Float32Array.from(values);
      const tensors = layout.filter(
        ({ role, name }) =>
          (role === 'kernel' || pruning.biases) && (pruning.outputLayer || !name.startsWith('output')),
      );
      const groups = (pruning.scope === 'global' ? [tensors] : tensors.map((tensor) => [tensor])).map(
        (group) => group.flatMap(({ offset, size }) => Array.from({ length: size }, (_, i) => offset + i)),
      );
      let before: ReturnType<typeof prunedMask>;
      for (let step = 0; step < 4; step++) {
        const wanted = new Set<number>();
        for (const group of groups) {
          const left = group.filter((place) => before?.flags[place] !== 0);
          const count = Math.min(
            Math.floor(share * left.length),
            Math.floor(maxShare * group.length) - (group.length - left.length),
          );
          const smallest = left.toSorted((a, b) => Math.abs(values[a]!) - Math.abs(values[b]!) || a - b);
          for (const place of smallest.slice(0, Math.max(0, count))) wanted.add(place);
        }
        const mask = prunedMask(parameters, layout, before, { pruning, share, maxShare });
        expect(mask === undefined).toBe(wanted.size === 0);
        if (!mask) break;
        const gone = [...mask.flags.keys()].filter((i) => mask.flags[i] === 0 && before?.flags[i] !== 0);
        expect(new Set(gone)).toEqual(wanted);
        expect([...mask.flags].filter(Boolean)).toHaveLength(mask.kept);
        before = mask;
      }
    }),
  );
});

test('steps follow one another after the rounds of recovery, the last of which are in the run', () => {
  const pruning = Pruning.parse({ steps: { firstRound: 2, recoveryRounds: 3 } });
  const rounds = (all: number): number[] =>
    [...Array(all).keys()].filter((round) => isPruningRound(pruning, round, all));
  expect(rounds(12)).toEqual([2, 5, 8]);
  expect(rounds(11)).toEqual([2, 5]);
  expect(rounds(5)).toEqual([]);
  expect(isPruningRound(Pruning.parse({ initialShare: 0.5 }), 2, 10)).toBe(false);
});

describe('quantiles', () => {
  test('are those of numpy', () => {
    // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, 0.05, 0.25, 0.5, 0.95, 1]), numpy 2.4.6
    const sample = Float64Array.of(3, 1, 4, 1, 5, 9, 2, 6);
    const got = quantilesOf(sample, [0, 0.05, 0.25, 0.5, 0.95, 1]);
    for (const [i, wanted] of [1, 1, 1.75, 3.5, 7.95, 9].entries()) expect(got[i]).toBeCloseTo(wanted, 12);
  });

  test('of one value are that value', () => {
    expect(quantilesOf(Float64Array.of(7), [0, 0.5, 1])).toEqual([7, 7, 7]);
  });
});
