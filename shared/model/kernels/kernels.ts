import { fusedKernels, plainKernels } from './binary.ts';

/**
 * The WebAssembly kernels (assembly/ documents each). Pointers and strides are in bytes of `memory`, `m`, `n` and `k` in
 * elements; float32 rows are padded to whole vectors of four.
 */
export interface Kernels {
  readonly memory: Memory;
  readonly multiply: (
    ...args: readonly [
      ...size: readonly [m: number, n: number, k: number],
      ...a: readonly [at: number, row: number, step: number],
      ...b: readonly [at: number, panel: number, step: number],
      ...c: readonly [at: number, row: number],
      alpha: number,
      beta: number,
    ]
  ) => void;
  readonly multiplyRows: (
    ...args: readonly [
      ...size: readonly [m: number, n: number, k: number],
      ...a: readonly [at: number, row: number],
      ...b: readonly [at: number, row: number],
      ...c: readonly [at: number, row: number],
    ]
  ) => void;
  readonly pack: Loop<'k n b step column packed'>;
  readonly fillRows: Loop<'rows columns c row values scale'>;
  readonly combineRows: Loop<'rows columns a aRow c cRow alpha beta'>;
  readonly gatherRows: Loop<'rows bytes a aRow indices c cRow'>;
  readonly addRows: Loop<'rows columns a row c alpha beta'>;
  readonly padRows: Loop<'rows columns from to row'>;
  readonly activate: Loop<'kind rows columns c row'>;
  readonly multiplySlope: Loop<'kind rows columns output gradient row'>;
  readonly crossEntropy: Loop<'users units offsets labels logits gradient row losses'>;
  readonly widen: Loop<'rows columns from fromRow to toRow'>;
  readonly wideLayer: Loop<'rows n k x xRow w bias c'>;
  readonly narrowPlusOne: Loop<'rows columns from fromRow to toRow'>;
  readonly gram: Loop<'m first k a b row c cRow'>;
  readonly mirror: Loop<'size c row'>;
  readonly factoredNorm: Loop<'size h hRow d dRow', number>;
  readonly factoredMass: Loop<'size h hRow d dRow', number>;
  readonly innerProduct: Loop<'rows columns a aRow b bRow', number>;
  readonly differenceNorm: Loop<'length local received', number>;
  readonly addDifference: Loop<'length local received coefficient sum'>;
  readonly addScaled: Loop<'length values coefficient sum'>;
  readonly addOuterProducts: Loop<'rows inputs units h hRow d dRow c sum scratch'>;
  readonly copyWindows: (
    ...args: readonly [...window: WindowShape, ...from: readonly [image: number], patches: number]
  ) => void;
  readonly addWindows: (
    ...args: readonly [
      ...window: WindowShape,
      ...from: readonly [patches: number, row: number],
      image: number,
    ]
  ) => void;
  readonly addToLargest: (
    ...args: readonly [
      ...window: WindowShape,
      ...from: readonly [image: number, slopes: number],
      target: number,
    ]
  ) => void;
}

/** How the windows of a convolution lie on an image; `top` and `left` zeros stand before it. */
export type WindowShape = readonly [
  ...image: readonly [height: number, width: number, channels: number],
  ...window: readonly [height: number, width: number],
  ...strides: readonly [down: number, right: number],
  ...zeros: readonly [top: number, left: number],
  ...positions: readonly [down: number, right: number],
];

/** A function of as many numbers as the names say. */
type Loop<Names extends string, Result = void> = (...args: Numbers<Names>) => Result;
type Numbers<Names extends string> = Names extends `${string} ${infer Rest}`
  ? readonly [number, ...Numbers<Rest>]
  : readonly [number];

/** What of WebAssembly's own types is used here; Node's types do not declare them. */
interface Memory {
  readonly buffer: ArrayBuffer;
  readonly grow: (pages: number) => number;
}
declare const WebAssembly: {
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
  readonly validate: (binary: Uint8Array) => boolean;
};

/**
 * How products are added: `plain` rounds product and sum, `fused` rounds once (relaxed SIMD, which Node 22 and later know). The
 * last bits of a result differ between the two, and nothing else.
 */
export type Arithmetic = 'plain' | 'fused';

let known: readonly Arithmetic[] | undefined;

/** What this Node can run, the fastest first. */
export function knownArithmetic(): readonly Arithmetic[] {
  known ??= WebAssembly.validate(binaryOf('fused')) ? ['fused', 'plain'] : ['plain'];
  return known;
}

const compiled = new Map<Arithmetic, object>();

/** A fresh instance with memory of its own; compiled once in a thread. */
export function loadKernels(arithmetic: Arithmetic = knownArithmetic()[0] ?? 'plain'): Kernels {
  const module = compiled.get(arithmetic) ?? new WebAssembly.Module(binaryOf(arithmetic));
  compiled.set(arithmetic, module);
  // The compiler's output has exactly these exports; test/unit/model/kernels.test.ts calls every one.
  return new WebAssembly.Instance(module).exports as Kernels;
}

function binaryOf(arithmetic: Arithmetic): Uint8Array {
  return Buffer.from(arithmetic === 'fused' ? fusedKernels : plainKernels, 'base64');
}
