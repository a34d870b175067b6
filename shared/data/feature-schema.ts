import { z } from 'zod';
import { assertNever } from '../errors.ts';
import { categoryName, Vocabulary } from './category.ts';

/** The columns that the model sees, as a schema declares them: see `schema.ts`. */

const column = z.string().min(1);
const markers = z.array(z.string());

const Scaling = z.union([
  z.enum(['symmetric', 'unit']),
  z.strictObject({ center: z.number(), scale: z.number().positive() }),
]);

const NumericFeature = z
  .strictObject({
    type: z.literal('numeric'),
    column,
    /** Public bounds in the column's unit. */
    min: z.number(),
    max: z.number(),
    outside: z.enum(['clamp', 'refuse']).default('clamp'),
    /** Texts that stand for a number, such as `'> 89': 90`. */
    literals: z.record(z.string(), z.number()).default({}),
    transform: z.enum(['none', 'log1p']).default('none'),
    /** Bounds to [-1, 1], bounds to [0, 1], or (value - center) / scale by public constants; after the transform. */
    scaling: Scaling.default('symmetric'),
    missing: z.enum(['indicator', 'zero', 'refuse']).default('refuse'),
    missingMarkers: markers.optional(),
  })
  .refine(({ min, max }) => min < max, '`min` must lie under `max`')
  .refine(({ min, transform }) => transform === 'none' || min >= 0, '`log1p` needs `min` of at least 0');
export type NumericFeature = z.infer<typeof NumericFeature>;

const CategoricalFeature = z.strictObject({
  type: z.literal('categorical'),
  column,
  vocabulary: Vocabulary,
  other: z.enum(['category', 'zero', 'refuse']).default('refuse'),
  missing: z.enum(['category', 'zero', 'refuse']).default('refuse'),
  missingMarkers: markers.optional(),
  /** `one-hot-without-first` has no feature for the first category, whose records are zero in all the others. */
  encoding: z.enum(['one-hot', 'one-hot-without-first']).default('one-hot'),
});
export type CategoricalFeature = z.infer<typeof CategoricalFeature>;

/** A cell that lists several categories, such as `milk|bread`: one feature of 0 or 1 for each category. */
const SetFeature = z.strictObject({
  type: z.literal('set'),
  column,
  separator: z.string().min(1).default('|'),
  vocabulary: Vocabulary,
  other: z.enum(['category', 'zero', 'refuse']).default('refuse'),
});
export type SetFeature = z.infer<typeof SetFeature>;

/** The pixels of one image of an IDX file that lies beside the table; the cell holds the image's number, from 0. */
const ImageFeature = z.strictObject({
  type: z.literal('image'),
  column,
  /** A name without a folder: a public schema must not choose what else of the site's disk is read. */
  file: z.string().regex(/^[^/\\]*[^/\\.][^/\\]*$/, 'a file name without a folder'),
  height: z.number().int().positive(),
  width: z.number().int().positive(),
  /** Pixels 0 to 255 to [-1, 1] or to [0, 1]. */
  scaling: z.enum(['symmetric', 'unit']).default('symmetric'),
});
export type ImageFeature = z.infer<typeof ImageFeature>;

/** The characters before the one that a `next-character` label asks for, as whole numbers for an embedding. */
const CharactersFeature = z.strictObject({
  type: z.literal('characters'),
  column,
  /** How many characters before it the model sees. */
  window: z.number().int().positive().max(1024),
  /** The known characters, each once: the first has code 1, and so on. */
  vocabulary: z
    .string()
    .min(2)
    .refine((text) => new Set(text).size === Array.from(text).length, 'each character once'),
  /** `category`: all unknown characters share the code after the last. */
  other: z.enum(['category', 'refuse']).default('refuse'),
  /** `codes`: one whole number for each character, for an embedding; `one-hot`: a feature for each known one, 0 in the padding. */
  encoding: z.enum(['codes', 'one-hot']).default('codes'),
});
export type CharactersFeature = z.infer<typeof CharactersFeature>;

/** One declared column that the model sees. */
export const FeatureSchema = z.discriminatedUnion('type', [
  NumericFeature,
  CategoricalFeature,
  SetFeature,
  ImageFeature,
  CharactersFeature,
]);
export type FeatureSchema = z.infer<typeof FeatureSchema>;

/** Names of one declared feature's inputs, in order. */
export function namesOf(feature: FeatureSchema): string[] {
  switch (feature.type) {
    case 'numeric':
      return feature.missing === 'indicator'
        ? [feature.column, `${feature.column} missing`]
        : [feature.column];
    case 'categorical':
      return categoryNames(feature).slice(feature.encoding === 'one-hot-without-first' ? 1 : 0);
    case 'set':
      return categoryNames({ ...feature, missing: 'refuse' });
    case 'image':
      return Array.from(
        { length: feature.height * feature.width },
        (_, pixel) => `pixel ${Math.floor(pixel / feature.width)},${pixel % feature.width}`,
      );
    case 'characters':
      return windowNames(feature);
    default:
      return assertNever(feature);
  }
}

function categoryNames({
  column,
  vocabulary,
  other,
  missing,
}: Pick<CategoricalFeature, 'column' | 'vocabulary' | 'other' | 'missing'>): string[] {
  const names = vocabulary.map(categoryName);
  if (other === 'category') names.push('other');
  if (missing === 'category') names.push('missing');
  return names.map((name) => `${column}=${name}`);
}

function windowNames({ column, window, vocabulary, other, encoding }: CharactersFeature): string[] {
  const places = Array.from({ length: window }, (_, at) => `${column} ${at - window}`);
  if (encoding === 'codes') return places;
  const characters = [...Array.from(vocabulary), ...(other === 'category' ? ['other'] : [])];
  return places.flatMap((place) => characters.map((character) => `${place}=${character}`));
}
