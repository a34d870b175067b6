import { z } from 'zod';
import { ParleyError } from '../errors.ts';

/**
 * The one codec for everything numeric that travels or is kept: safetensors (8 bytes of header length, a JSON header, the
 * tensors back to back, little-endian), as Python's `safetensors` reads and writes it. The same tensors always give the
 * same bytes: wide types first, then by name, no gaps.
 */

const arrays = { F64: Float64Array, F32: Float32Array, I32: Int32Array } as const;
type Dtype = keyof typeof arrays;

/** A named array; the product of `shape` is the length of `data`. */
export type Tensor = { readonly name: string; readonly shape: readonly number[] } & (
  | { readonly dtype: 'F64'; readonly data: Float64Array }
  | { readonly dtype: 'F32'; readonly data: Float32Array }
  | { readonly dtype: 'I32'; readonly data: Int32Array }
);

/** A tensor without its data: enough to know the size of the file. */
export type TensorShape = Pick<Tensor, 'name' | 'dtype' | 'shape'>;

/** What a file holds. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const maxHeaderBytes = 10_000_000;
const maxRank = 8;
const lengthBytes = 8;
const metadataKey = '__metadata__';

/**
 * Bytes of a safetensors file with these tensors.
 *
 * @throws WRONG_SHAPE when a shape does not fit its data or a name stands twice.
 */
export function encodeTensors(
  tensors: readonly Tensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header = headerOf(tensors, metadata);
  const start = lengthBytes + header.length;
  const file = new Uint8Array(start + tensors.reduce((sum, tensor) => sum + tensor.data.byteLength, 0));
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, lengthBytes);
  let offset = start;
  for (const { name, shape, data, dtype } of inFileOrder(tensors)) {
    if (elements(shape) !== data.length)
      throw wrong(`tensor ${name} of shape ${describe(shape)} has ${data.length} elements`);
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    littleEndian(file.subarray(offset, offset + data.byteLength), dtype);
    offset += data.byteLength;
  }
  return file;
}

/** Exact number of bytes that `encodeTensors` gives for such tensors. */
export function encodedBytes(
  tensors: readonly TensorShape[],
  metadata: Readonly<Record<string, string>> = {},
): number {
  const data = tensors.reduce((sum, tensor) => sum + byteLength(tensor), 0);
  return lengthBytes + headerOf(tensors, metadata).length + data;
}

/**
 * Tensors and metadata of a safetensors file, as copies (so their alignment in `bytes` does not matter). `owned` says that nobody
 * else has `bytes`: then tensors stay in there where that is possible. Strict: the tensors must fill the file without gap or
 * overlap, aligned, and the header must be compact JSON without repeated keys.
 *
 * @throws WRONG_SHAPE for anything else.
 */
export function decodeTensors(bytes: Uint8Array, whose: 'borrowed' | 'owned' = 'borrowed'): TensorFile {
  const { entries, metadata, start } = readHeader(bytes);
  const tensors = new Map<string, Tensor>();
  let end = 0;
  for (const [name, entry] of entries.toSorted(byPlace)) {
    const [from, to] = entry.data_offsets;
    const size = byteLength({ name, ...entry });
    if (from !== end || to - from !== size)
      throw wrong(`tensor ${name} should lie at ${end} to ${end + size}, its header says ${from} to ${to}`);
    if ((start + from) % arrays[entry.dtype].BYTES_PER_ELEMENT !== 0)
      throw wrong(`tensor ${name} is not aligned: its data start at byte ${start + from}`);
    if (start + to > bytes.length) throw wrong(`tensor ${name} ends past the end of the file`);
    const data = bytes.subarray(start + from, start + to);
    const isUsable = whose === 'owned' && data.byteOffset % arrays[entry.dtype].BYTES_PER_ELEMENT === 0;
    tensors.set(name, tensorOf(name, entry, isUsable ? data : new Uint8Array(data)));
    end = to;
  }
  if (start + end !== bytes.length)
    throw wrong(`${bytes.length} bytes where the header accounts for ${start + end}`);
  return { tensors, metadata };
}

const size = z.number().int().nonnegative();
const Entry = z.strictObject({
  dtype: z.enum(['F64', 'F32', 'I32']),
  shape: z.array(size).max(maxRank),
  data_offsets: z.tuple([size, size]),
});
type Entry = z.infer<typeof Entry>;
const Metadata = z.record(z.string(), z.string());
const Header = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** By start, then by end: an empty tensor starts where its neighbour does, and comes first. */
function byPlace([, a]: [string, Entry], [, b]: [string, Entry]): number {
  return a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1];
}

function readHeader(bytes: Uint8Array): {
  entries: [string, Entry][];
  metadata: Record<string, string>;
  start: number;
} {
  if (bytes.length < lengthBytes) throw wrong(`${bytes.length} bytes are too few for a safetensors file`);
  const declared = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (declared > BigInt(Math.min(maxHeaderBytes, bytes.length - lengthBytes)))
    throw wrong(`the header claims ${declared.toString()} bytes, more than the file or the limit holds`);
  const start = lengthBytes + Number(declared);
  const { [metadataKey]: metadata = {}, ...tensors } = parsedHeader(bytes.subarray(lengthBytes, start));
  const entries = Object.entries(tensors).map(([name, entry]): [string, Entry] => [
    name,
    checked(Entry, entry, `tensor ${name}`),
  ]);
  return { entries, metadata: checked(Metadata, metadata, 'the metadata'), start };
}

function parsedHeader(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/ +$/, '');
    value = JSON.parse(text);
  } catch (cause) {
    throw new ParleyError('WRONG_SHAPE', 'the safetensors header is not JSON in UTF-8', { cause });
  }
  // A repeated key would be read differently by different readers; parsing drops it, so the text gets shorter.
  if (JSON.stringify(value).length !== text.length)
    throw wrong('the safetensors header is not compact JSON with distinct keys');
  return checked(Header, value, 'the header');
}

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw wrong(`${what} in a safetensors header: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function headerOf(tensors: readonly TensorShape[], metadata: Readonly<Record<string, string>>): Uint8Array {
  if (new Set(tensors.map(({ name }) => name)).size !== tensors.length)
    throw wrong('two tensors of one file have the same name');
  if (tensors.some(({ name }) => name === metadataKey)) throw wrong(`no tensor can be called ${metadataKey}`);
  let end = 0;
  const fields = inFileOrder(tensors).map((tensor) => {
    const from = end;
    end += byteLength(tensor);
    const entry = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [from, end] };
    return `${JSON.stringify(tensor.name)}:${JSON.stringify(entry)}`;
  });
  const sorted = Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (sorted.length > 0) fields.unshift(`"${metadataKey}":${JSON.stringify(Object.fromEntries(sorted))}`);
  const text = new TextEncoder().encode(`{${fields.join(',')}}`);
  if (text.length > maxHeaderBytes) throw wrong(`a safetensors header of ${text.length} bytes is too long`);
  // Spaces up to a multiple of 8, so that every tensor is aligned to its element.
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(0x20);
  padded.set(text);
  return padded;
}

const dtypeOrder: readonly Dtype[] = ['F64', 'F32', 'I32'];

/** As Python's writer: by element type, then by name in code units. */
function inFileOrder<T extends TensorShape>(tensors: readonly T[]): T[] {
  return tensors.toSorted(
    (a, b) => dtypeOrder.indexOf(a.dtype) - dtypeOrder.indexOf(b.dtype) || (a.name < b.name ? -1 : 1),
  );
}

/** The tensor in aligned bytes that are nobody else's. */
function tensorOf(name: string, { dtype, shape }: Entry, bytes: Uint8Array): Tensor {
  const { buffer, byteOffset } = littleEndian(bytes, dtype);
  const place = [buffer, byteOffset, elements(shape)] as const;
  switch (dtype) {
    case 'F64':
      return { name, shape, dtype, data: new Float64Array(...place) };
    case 'F32':
      return { name, shape, dtype, data: new Float32Array(...place) };
    case 'I32':
      return { name, shape, dtype, data: new Int32Array(...place) };
  }
}

const hostIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Turn bytes in place from the host's order into little-endian or back; on common hosts nothing is to be done. */
function littleEndian<T extends Uint8Array>(bytes: T, dtype: Dtype): T {
  if (hostIsLittleEndian) return bytes;
  const swapped = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (arrays[dtype].BYTES_PER_ELEMENT === 8) swapped.swap64();
  else swapped.swap32();
  return bytes;
}

function byteLength({ name, dtype, shape }: TensorShape): number {
  const size = elements(shape) * arrays[dtype].BYTES_PER_ELEMENT;
  if (!Number.isSafeInteger(size)) throw wrong(`tensor ${name} of shape ${describe(shape)} is too large`);
  return size;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

function describe(shape: readonly number[]): string {
  return `(${shape.join(', ')})`;
}

function wrong(detail: string): ParleyError {
  return new ParleyError('WRONG_SHAPE', detail);
}
