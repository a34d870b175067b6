import { sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import { initialParameters } from '../shared/model/initial.ts';
import { layoutOf, numParams } from '../shared/model/layout.ts';
import type { ParameterMask } from '../shared/model/mask.ts';
import type { ModelSpec } from '../shared/model/spec.ts';
import { decodedMask, encodedMask } from '../shared/protocol/mask-payload.ts';
import { decodedModel, encodedModel } from '../shared/protocol/payloads.ts';
import { decodeTensors, encodeTensors } from '../shared/protocol/safetensors.ts';
import type { Rng } from '../shared/random/rng.ts';
import type { Sha256 } from '../shared/units.ts';
import type { OptimizerState } from './aggregate/server-step.ts';
import type { Model, RunContext, StoredMask } from './state.ts';
import type { Store } from './store/store.ts';

/** Store parameters, shape (numParams,), as a safetensors file named by its hash. */
export function saveModel(parameters: Float32Array, run: Pick<RunContext, 'config' | 'store'>): Model {
  const bytes = encodedModel(parameters, run.config.model, layoutOf(run.config.model));
  return { parameters, sha256: run.store.saveModel(bytes), sizeBytes: bytes.length };
}

/** Store a mask, named by its hash, beside the models. */
export function saveMask(mask: ParameterMask, { store }: Pick<RunContext, 'store'>): StoredMask {
  const bytes = encodedMask(mask);
  return { mask, sha256: store.saveModel(bytes), sizeBytes: bytes.length };
}

/** The model of version 0, drawn from its own stream. */
export function initialModel(run: Pick<RunContext, 'config' | 'store'>, rng: Rng): Model {
  return saveModel(initialParameters(run.config.model, rng.fork('initial model')), run);
}

/**
 * Read a model back from the run directory.
 *
 * @throws RUN_NOT_FOUND when the file is gone; MODEL_HASH_MISMATCH when its bytes are not what its name says.
 */
export function storedModel(store: Store, hash: Sha256, spec: ModelSpec): Model {
  const bytes = storedFile(store, hash);
  return { parameters: decodedModel(bytes, numParams(spec)), sha256: hash, sizeBytes: bytes.length };
}

/** Read a mask back; undefined without a hash. Throws as {@link storedModel}. */
export function storedMask(store: Store, hash: Sha256 | undefined, spec: ModelSpec): StoredMask | undefined {
  if (!hash) return undefined;
  const bytes = storedFile(store, hash);
  return { mask: decodedMask(bytes, numParams(spec)), sha256: hash, sizeBytes: bytes.length };
}

function storedFile(store: Store, hash: Sha256): Uint8Array {
  const bytes = store.model(hash);
  if (!bytes)
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `models/${hash}.safetensors is missing from the run directory: restore it to go on`,
    );
  if (sha256(bytes) !== hash)
    throw new ParleyError(
      'MODEL_HASH_MISMATCH',
      `models/${hash}.safetensors was changed on the disk: restore the original to go on`,
    );
  return bytes;
}

/** The optimizer's state as bytes, exact to the last bit, so that a resumed run is bit-identical. */
export function optimizerBytes(state: OptimizerState): Uint8Array {
  const { first, second, steps } = state;
  return encodeTensors(
    [
      { name: 'first', dtype: 'F64', shape: [first.length], data: first },
      { name: 'second', dtype: 'F64', shape: [second.length], data: second },
    ],
    { steps: String(steps) },
  );
}

/** The inverse of {@link optimizerBytes}. */
export function optimizerFrom(bytes: Uint8Array): OptimizerState {
  const { tensors, metadata } = decodeTensors(bytes);
  const moment = (name: string): Float64Array => {
    const data = tensors.get(name)?.data;
    return data instanceof Float64Array ? data : new Float64Array(0);
  };
  return { steps: Number(metadata['steps']), first: moment('first'), second: moment('second') };
}
