import { setImmediate } from 'node:timers/promises';
import type { DenseLayer } from '../dense-layers.ts';
import { engineMaker } from './engine.ts';
import type { Assignment, Crew } from './work.ts';

/** Trains in this thread, and lets the event loop run between groups. */
export function inlineCrew(layers: readonly DenseLayer[]): Crew {
  const makeEngine = engineMaker(layers);
  return {
    train: async ({ round, numGroups, workOf, take }: Assignment) => {
      const engine = makeEngine(round);
      for (let index = 0; index < numGroups; index++) {
        take(index, engine.train(workOf(index)));
        await setImmediate();
      }
    },
  };
}
