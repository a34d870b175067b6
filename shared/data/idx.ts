import { ParleyError } from '../errors.ts';

/** Grey images of one size, as an IDX file of the MNIST family holds them. */
export interface Images {
  /** What the messages call the file: usually its path. */
  readonly source: string;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** Shape (count, height, width), row-major, 0 to 255. */
  readonly pixels: Uint8Array;
}

const headerBytes = 16;
const unsignedByte = 0x08;

/**
 * The images of an IDX file (LeCun's MNIST page: big-endian, two zero bytes, a type, the number of axes, their sizes, the
 * values). Only unsigned bytes in three axes are images here. The pixels are a view of `bytes`. Throws DATA_VALUE_INVALID
 * when the header says otherwise, an axis is empty, or the file has bytes too few or too many.
 */
export function parseIdxImages(bytes: Uint8Array, source: string): Images {
  const invalid = (found: string, expected: string): ParleyError =>
    new ParleyError(
      'DATA_VALUE_INVALID',
      `${source} is not a file of IDX images: found ${found}, expected ${expected}; copy or export it again`,
    );
  if (bytes.length < headerBytes)
    throw invalid(`${bytes.length} bytes`, `a header of ${headerBytes} bytes and the pixels`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [type, axes] = [view.getUint8(2), view.getUint8(3)];
  if (view.getUint16(0) !== 0 || type !== unsignedByte || axes !== 3)
    throw invalid(
      `the first bytes ${Buffer.from(bytes.subarray(0, 4)).toString('hex')}`,
      '00000803: unsigned bytes in three axes',
    );
  const [count, height, width] = [view.getUint32(4), view.getUint32(8), view.getUint32(12)];
  const size = `${count} images of ${height} x ${width} pixels`;
  if (count === 0 || height === 0 || width === 0) throw invalid(size, 'at least one pixel');
  const pixels = bytes.subarray(headerBytes);
  if (pixels.length !== count * height * width)
    throw invalid(`${pixels.length} bytes of pixels`, `${count * height * width} for ${size}`);
  return { source, count, height, width, pixels };
}
