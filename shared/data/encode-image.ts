import { ParleyError } from '../errors.ts';
import { type Misfit, parseNumber } from './category.ts';
import type { ImageFeature } from './feature-schema.ts';
import type { Images } from './idx.ts';

/**
 * The encoder of an image feature: the pixels of the image whose number the cell holds, row by row. Throws
 * DATA_VALUE_INVALID where the images have another size than the schema declares, FILE_NOT_FOUND where there are none.
 */
export function imageEncoder(
  feature: ImageFeature,
  images: Images | undefined,
): (text: string, target: Float32Array, at: number) => Misfit | undefined {
  if (images === undefined)
    throw new ParleyError(
      'FILE_NOT_FOUND',
      `the table came without its image file ${feature.file}: expected it in the table's folder; put it there`,
    );
  refuseOtherSize(feature, images);
  const { count, pixels } = images;
  const numPixels = feature.height * feature.width;
  const [factor, offset] = feature.scaling === 'unit' ? [1 / 255, 0] : [2 / 255, -1];
  return (text, target, at) => {
    const index = parseNumber(text);
    if (index === undefined || !Number.isInteger(index) || index < 0 || index >= count)
      return {
        code: 'DATA_VALUE_INVALID',
        expected: `the number of an image of ${feature.file}, a whole number from 0 to ${count - 1}`,
        advice:
          'correct the value, drop such rows with a `drop` rule, or put the right image file beside the table',
      };
    const start = index * numPixels;
    for (let pixel = 0; pixel < numPixels; pixel++)
      target[at + pixel] = (pixels[start + pixel] ?? 0) * factor + offset;
    return undefined;
  };
}

function refuseOtherSize({ height, width }: ImageFeature, images: Images): void {
  if (images.height !== height || images.width !== width)
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `${images.source}: found images of ${images.height} x ${images.width} pixels, expected ${height} x ${width} as the schema declares; correct the schema at every site, or use the right file`,
    );
}
