import { expect } from 'vitest';
import { optimizerFrom, storedMask, storedModel } from '../../../coordinator/checkpoint.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { numParams } from '../../../shared/model/layout.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import type { Sha256 } from '../../../shared/units.ts';
import { aTinyRun, type SiteChange, type TinyRun } from '../../support/a-run.ts';

/** A model of 49 parameters, 36 of them weights. */
export const model = {
  inputShape: [2],
  layers: [{ type: 'dense', units: 12, activation: 'tanh' }],
  output: { type: 'sigmoid' },
};
/** The same, parsed. */
export const spec = ModelSpec.parse(model);
/** How many parameters it has. */
export const params = numParams(spec);
/** Half of the weights that are left go after every second round, from the first on. */
export const steps = { firstRound: 0, recoveryRounds: 2, share: 0.5 };

/** A run of two sites that prunes, with something changed in the federation or at the sites. */
export function aPruningRun(change: Record<string, unknown> = {}, site: SiteChange = {}): TinyRun {
  return aTinyRun({ model, rounds: 5, pruning: { steps }, ...change }, site);
}

/** What a run has stored. */
export interface Opened {
  readonly parameters: (hash: Sha256) => Float32Array;
  /** Of the mask that a round's report names: 0 where a parameter is pruned. */
  readonly flags: (report: RoundReport) => Uint8Array;
  /** Both of the optimizer. */
  readonly moments: readonly Float64Array[];
  readonly close: () => Promise<void>;
}

/** Open the store of a run that has ended. */
export async function opened(run: TinyRun): Promise<Opened> {
  const store = await openStore(run.directory);
  const { first, second } = optimizerFrom((await store.optimizer())!);
  return {
    parameters: (hash) => storedModel(store, hash, spec).parameters,
    flags: ({ pruning }) => storedMask(store, pruning?.maskSha256, spec)!.mask.flags,
    moments: [first, second],
    close: () => store.close(),
  };
}

/** Expects zero wherever a flag is zero. */
export function expectZeroWhere(flags: Uint8Array, values: ArrayLike<number>): void {
  for (const [i, flag] of flags.entries()) if (flag === 0) expect(values[i]).toBe(0);
}
