import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  initialOptimizerState,
  ServerOptimizer,
  type Stepped,
  serverStep,
} from '../../../coordinator/aggregate/server-step.ts';

const numbers = z.array(z.number());
const vectors = z
  .object({
    parameters: numbers,
    means: z.array(numbers),
    cases: z.array(z.object({ optimizer: ServerOptimizer, after: z.array(numbers) })),
  })
  .parse(JSON.parse(readFileSync('test/vectors/server-steps.json', 'utf8')));

/** The models after each of some steps. */
function walk(
  optimizer: ServerOptimizer,
  start: readonly number[],
  means: readonly (readonly number[])[],
): Stepped[] {
  let last: Stepped = {
    parameters: Float32Array.from(start),
    state: initialOptimizerState(optimizer, start.length),
  };
  return means.map((mean) => {
    last = serverStep(optimizer, last.state, last.parameters, Float64Array.from(mean));
    return last;
  });
}

const value = fc.double({ min: -2, max: 2, noNaN: true });
const rate = fc.double({ min: 0.01, max: 3, noNaN: true });
const decay = fc.double({ min: 0.05, max: 0.95, noNaN: true });
const optimizers: fc.Arbitrary<ServerOptimizer> = fc.oneof(
  fc.record({ type: fc.constant('fedavg' as const), learningRate: rate }),
  fc.record({ type: fc.constant('fedavgm' as const), learningRate: rate, momentum: decay }),
  fc.record({
    type: fc.constant('fedadam' as const),
    learningRate: rate,
    beta1: decay,
    beta2: decay,
    tau: fc.double({ min: 1e-4, max: 1, noNaN: true }),
    biasCorrection: fc.boolean(),
  }),
);
const walks = fc.integer({ min: 1, max: 4 }).chain((length) => {
  const vector = fc.array(value, { minLength: length, maxLength: length });
  return fc.record({ start: vector, means: fc.array(vector, { minLength: 1, maxLength: 4 }) });
});

describe('the server step', () => {
  test.each(vectors.cases)('is that of other programs: $optimizer', ({ optimizer, after }) => {
    const steps = walk(optimizer, vectors.parameters, vectors.means);
    expect(steps).toHaveLength(5);
    for (const [index, { parameters, state }] of steps.entries()) {
      expect(state.steps).toBe(index + 1);
      // Parameters are float32, and rounded at every step.
      parameters.forEach((found, i) => {
        expect(Math.abs(found - after[index]![i]!)).toBeLessThan(2e-6);
      });
    }
  });

  test('stands still where nothing ever moved, and moves each parameter by itself', () => {
    fc.assert(
      fc.property(optimizers, walks, (optimizer, { start, means }) => {
        const together = walk(
          optimizer,
          [...start, 7],
          means.map((mean) => [...mean, 0]),
        );
        for (const { parameters } of together) expect(parameters.at(-1)).toBe(7);
        for (const [i, from] of start.entries()) {
          const alone = walk(
            optimizer,
            [from],
            means.map((mean) => [mean[i]!]),
          );
          expect(alone.map(({ parameters }) => parameters[0])).toEqual(
            together.map(({ parameters }) => parameters[i]),
          );
        }
      }),
    );
  });

  test('mirrors: the opposite mean updates move the opposite parameters oppositely', () => {
    const negative = (values: readonly number[]): number[] => values.map((x) => -x);
    fc.assert(
      fc.property(optimizers, walks, (optimizer, { start, means }) => {
        const there = walk(optimizer, start, means).map(({ parameters }) => [...parameters]);
        const back = walk(optimizer, negative(start), means.map(negative)).map(({ parameters }) => [
          ...parameters,
        ]);
        expect(back.map(negative).map((values) => values.map((x) => x + 0))).toEqual(
          there.map((values) => values.map((x) => x + 0)),
        );
      }),
    );
  });

  test('goes on from a state as if it had never been put down, and changes nothing that it was given', () => {
    fc.assert(
      fc.property(optimizers, walks, (optimizer, { start, means }) => {
        const whole = walk(optimizer, start, means);
        const before = structuredClone(whole);
        const [{ state, parameters }, mean] = [whole[0]!, Float64Array.from(means.at(-1)!)];
        const once = serverStep(optimizer, state, parameters, mean);
        expect(serverStep(optimizer, structuredClone(state), parameters, mean)).toEqual(once);
        expect(whole).toEqual(before);
        expect([...mean]).toEqual(means.at(-1));
      }),
    );
  });

  test('the first bias-corrected step of Adam moves each parameter by almost the learning rate, whatever the size', () => {
    const optimizer = ServerOptimizer.parse({ type: 'fedadam', learningRate: 0.3, tau: 1e-9 });
    const [first] = walk(optimizer, [0, 0, 0], [[1e-3, -40, 2]]);
    const moved = [...first!.parameters];
    expect(moved.map((x) => Number(x.toFixed(4)))).toEqual([0.3, -0.3, 0.3]);
  });

  test('carries only the moments that the optimizer has', () => {
    const sizes = (optimizer: unknown): number[] => {
      const { first, second, steps } = initialOptimizerState(ServerOptimizer.parse(optimizer), 5);
      return [steps, first.length, second.length];
    };
    expect(sizes({ type: 'fedavg' })).toEqual([0, 0, 0]);
    expect(sizes({ type: 'fedavgm' })).toEqual([0, 5, 0]);
    expect(sizes({ type: 'fedadam' })).toEqual([0, 5, 5]);
  });

  test.each([
    { type: 'fedavg', learningRate: 0 },
    { type: 'fedavgm', momentum: 1 },
    { type: 'fedavgm', momentum: -0.1 },
    { type: 'fedadam', beta2: 1 },
    { type: 'fedadam', tau: 0 },
    { type: 'fedadam', beta: 0.9 },
    { type: 'fedyogi' },
  ])('%j is no optimizer', (optimizer) => {
    expect(ServerOptimizer.safeParse(optimizer).success).toBe(false);
  });
});
