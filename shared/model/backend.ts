import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import process from 'node:process';
import util from 'node:util';
import * as tensorflow from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { assertNever, ParleyError } from '../errors.ts';
import { addWasmDerivatives } from './wasm-derivatives.ts';

/** The tfjs library. */
export type Tf = typeof tensorflow;

/** What a plan or a command line may ask for; `auto` takes the fastest that loads. */
export type BackendChoice = 'auto' | 'tfjs-node' | 'wasm' | 'cpu';

/** A loaded tfjs backend. tfjs has one current backend for the whole process, so users of this one select it first. */
export interface Backend {
  readonly tf: Tf;
  readonly name: 'tfjs-node' | 'wasm' | 'cpu';
  /** Which backend and why, for the log: `tfjs wasm (SIMD); tfjs-node is not installed`. */
  readonly description: string;
}

/** A backend, or the reason why there is none. */
type Attempt = { readonly backend: Backend } | { readonly reason: string };

/**
 * Load a backend: for `auto` tfjs-node when it is installed and loads, else wasm with SIMD, else cpu.
 *
 * @throws BACKEND_UNAVAILABLE when a backend that was asked for by name does not load.
 */
export async function loadBackend(choice: BackendChoice): Promise<Backend> {
  // The supported way to keep tfjs from printing advertisements and deprecations.
  tensorflow.enableProdMode();
  switch (choice) {
    case 'auto':
      return fastestBackend();
    case 'tfjs-node':
      return required(await tryNode());
    case 'wasm':
      return required(await tryWasm());
    case 'cpu':
      return cpu();
    default:
      return assertNever(choice);
  }
}

/**
 * Make a loaded backend tfjs's current one. To be repeated at the start of every synchronous stretch of work: while it
 * waited, another trainer may have chosen its own.
 */
export function selectBackend({ tf, name }: Backend): void {
  const registered = registeredName(name);
  // A backend that has started is current as soon as the call returns; its promise brings nothing more.
  if (tf.getBackend() !== registered) void tf.setBackend(registered);
}

function registeredName(name: Backend['name']): string {
  return name === 'tfjs-node' ? 'tensorflow' : name;
}

async function fastestBackend(): Promise<Backend> {
  const native = await tryNode();
  if ('backend' in native) return native.backend;
  const wasm = await tryWasm();
  if ('backend' in wasm && (await hasSimd())) {
    return { ...wasm.backend, description: `${wasm.backend.description}; ${native.reason}` };
  }
  return cpu(`${native.reason}; ${'reason' in wasm ? wasm.reason : 'this machine has no wasm SIMD'}`);
}

function required(attempt: Attempt): Backend {
  if ('backend' in attempt) return attempt.backend;
  throw new ParleyError('BACKEND_UNAVAILABLE', `${attempt.reason}; choose the backend auto, wasm or cpu`);
}

async function cpu(why?: string): Promise<Backend> {
  const description = why === undefined ? 'tfjs cpu' : `tfjs cpu; ${why}`;
  await start('cpu');
  return { tf: tensorflow, name: 'cpu', description };
}

const requireHere = createRequire(import.meta.url);

async function tryNode(): Promise<Attempt> {
  const packageName = '@tensorflow/tfjs-node';
  try {
    requireHere.resolve(packageName);
  } catch {
    return { reason: 'tfjs-node is not installed' };
  }
  try {
    restoreUtilities();
    requireHere(packageName);
    await start('tfjs-node');
    return { backend: { tf: tensorflow, name: 'tfjs-node', description: 'tfjs-node (TensorFlow)' } };
  } catch (error) {
    return { reason: `tfjs-node did not load: ${firstSentence(error)}` };
  }
}

/** tfjs-node 4.22 calls functions of node:util that Node 23 removed, and fails at every operation without them. */
function restoreUtilities(): void {
  const removed = {
    isArray: Array.isArray,
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
  };
  for (const [name, value] of Object.entries(removed)) {
    if (!(name in util)) Object.defineProperty(util, name, { value, configurable: true, writable: true });
  }
}

// tfjs has one wasm backend for the process, and two starts at once would cancel each other.
let wasmStarted: Promise<void> | undefined;

async function tryWasm(): Promise<Attempt> {
  try {
    wasmStarted ??= startWasm();
    await wasmStarted;
    const simd = (await hasSimd()) ? 'SIMD' : 'no SIMD';
    return { backend: { tf: tensorflow, name: 'wasm', description: `tfjs wasm (${simd})` } };
  } catch (error) {
    return { reason: `tfjs wasm did not load: ${firstSentence(error)}` };
  }
}

/** Emscripten's loader rethrows every uncaught error of the whole process; its two handlers are taken away again. */
async function startWasm(): Promise<void> {
  setWasmPaths(dirname(requireHere.resolve('@tensorflow/tfjs-backend-wasm')) + sep);
  const exceptions = new Set(process.listeners('uncaughtException'));
  const rejections = new Set(process.listeners('unhandledRejection'));
  await start('wasm');
  addWasmDerivatives(tensorflow);
  for (const listener of process.listeners('uncaughtException')) {
    if (!exceptions.has(listener)) process.removeListener('uncaughtException', listener);
  }
  for (const listener of process.listeners('unhandledRejection')) {
    if (!rejections.has(listener)) process.removeListener('unhandledRejection', listener);
  }
}

async function start(name: Backend['name']): Promise<void> {
  const registered = registeredName(name);
  if (await tensorflow.setBackend(registered)) return;
  throw new ParleyError('BACKEND_UNAVAILABLE', `tfjs backend ${registered} did not start`);
}

async function hasSimd(): Promise<boolean> {
  return (await tensorflow.env().getAsync('WASM_HAS_SIMD_SUPPORT')) === true;
}

function firstSentence(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split(/ at path|[\n]|[.] /, 1).join('');
}
