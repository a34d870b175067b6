import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { OptimizerState } from '../../../coordinator/aggregate/server-step.ts';
import {
  initialModel,
  optimizerBytes,
  optimizerFrom,
  saveModel,
  storedModel,
} from '../../../coordinator/checkpoint.ts';
import { openStore, type Store } from '../../../coordinator/store/store.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { aFederationConfig } from '../../support/a-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const config = aFederationConfig();

async function aStore(): Promise<{ store: Store; fileOf: (hash: string) => string }> {
  const directory = join(temporaryFolder(), 'run');
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  return { store, fileOf: (hash) => join(directory, 'models', `${hash}.safetensors`) };
}

describe("the optimizer's state", () => {
  test('comes back to the last bit, signed zeros and the smallest numbers included', () => {
    const moments = fc.float64Array({ noNaN: true, maxLength: 6 });
    fc.assert(
      fc.property(fc.nat(), moments, moments, (steps, first, second) => {
        const back = optimizerFrom(optimizerBytes({ steps, first, second }));
        const bits = (state: OptimizerState): unknown => [
          state.steps,
          Buffer.from(state.first.buffer, state.first.byteOffset, state.first.byteLength),
          Buffer.from(state.second.buffer, state.second.byteOffset, state.second.byteLength),
        ];
        expect(bits(back)).toEqual(bits({ steps, first, second }));
      }),
    );
  });

  test('of equal content has equal bytes', () => {
    const state = { steps: 3, first: Float64Array.of(0.1, -0), second: Float64Array.of(5e-324) };
    expect(optimizerBytes(structuredClone(state))).toEqual(optimizerBytes(state));
  });
});

describe('a stored model', () => {
  const parameters = Float32Array.of(0.1, -2.5, 1e-30);

  test('comes back as it was, from the file that its hash names', async () => {
    const { store } = await aStore();
    const saved = saveModel(parameters, { config, store });
    expect(saved.parameters).toBe(parameters);
    expect(storedModel(store, saved.sha256, config.model)).toEqual(saved);
  });

  test('repeats from the seed, and begins elsewhere with another', async () => {
    const { store } = await aStore();
    const begun = (seed: number): unknown =>
      initialModel({ config, store }, seededRng(Seed.parse(seed))).sha256;
    expect(begun(4)).toBe(begun(4));
    expect(begun(4)).not.toBe(begun(5));
  });

  test('is refused when its file was changed, and missed when it is gone', async () => {
    const { store, fileOf } = await aStore();
    const [one, two] = [parameters, parameters.toReversed()].map((model) =>
      saveModel(model, { config, store }),
    );
    const read = (): unknown => storedModel(store, one!.sha256, config.model);
    writeFileSync(fileOf(one!.sha256), store.model(two!.sha256)!);
    expect(read).toThrow(expect.objectContaining({ code: 'MODEL_HASH_MISMATCH' }));
    expect(read).toThrow(`models/${one!.sha256}.safetensors was changed on the disk`);
    rmSync(fileOf(one!.sha256));
    expect(read).toThrow(expect.objectContaining({ code: 'RUN_NOT_FOUND' }));
    expect(storedModel(store, two!.sha256, config.model)).toEqual(two);
  });

  test('with a number that is none is not stored', async () => {
    const { store } = await aStore();
    for (const value of [NaN, Infinity])
      expect(() => saveModel(Float32Array.of(0, value, 0), { config, store })).toThrow(
        expect.objectContaining({ code: 'NON_FINITE' }),
      );
  });

  test('does not pass for a model of another shape', async () => {
    const { store } = await aStore();
    const { sha256 } = saveModel(parameters, { config, store });
    const larger = aFederationConfig({ model: { inputShape: [3], output: { type: 'sigmoid' } } }).model;
    expect(() => storedModel(store, sha256, larger)).toThrow(
      expect.objectContaining({ code: 'WRONG_SHAPE' }),
    );
  });
});
