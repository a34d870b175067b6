import { assertNever } from '../errors.ts';
import { categoryEncoder, type Misfit, missingMisfit, parseNumber } from './category.ts';
import { characterCodes } from './characters.ts';
import { imageEncoder } from './encode-image.ts';
import {
  type CategoricalFeature,
  type CharactersFeature,
  type FeatureSchema,
  type NumericFeature,
  namesOf,
  type SetFeature,
} from './feature-schema.ts';
import { charactersOf, type DataSchema, type LabelSchema } from './schema.ts';
import type { Table } from './table.ts';

/**
 * One cell to numbers, by the schema alone: what a record encodes to does not depend on any other record.
 */

/**
 * Writes a cell's features into `target` from `at` on, where zeros stand; or says what is wrong with the cell. `position` is
 * the record's place in a text, in characters from 0; 0 where a row is one record.
 */
export type FeatureEncoder = (
  text: string,
  target: Float32Array,
  at: number,
  position: number,
) => Misfit | undefined;

/** The class index of a label's cell, or what is wrong with it; `position` as a {@link FeatureEncoder}'s. */
export type LabelEncoder = (text: string, position: number) => number | Misfit;

/** The encoder of one declared feature; `markers` are the schema's missing markers, `images` lie beside the table. */
export function featureEncoder(
  feature: FeatureSchema,
  markers: readonly string[],
  images: Table['images'],
): FeatureEncoder {
  switch (feature.type) {
    case 'numeric':
      return numericEncoder(feature, feature.missingMarkers ?? markers);
    case 'categorical':
      return oneHotEncoder(feature, feature.missingMarkers ?? markers);
    case 'set':
      return setEncoder(feature);
    case 'image':
      return imageEncoder(feature, images?.get(feature.file));
    case 'characters':
      return windowEncoder(feature);
    default:
      return assertNever(feature);
  }
}

/** The encoder of the label: class 1 is the positive one where there are two. */
export function labelEncoder(
  schema: Pick<DataSchema, 'label' | 'features' | 'missingMarkers'>,
): LabelEncoder {
  const rules = { other: 'refuse', missing: 'refuse', missingMarkers: schema.missingMarkers } as const;
  const { label } = schema;
  switch (label.type) {
    case 'binary': {
      const negative = { name: label.negative.join(', '), values: label.negative, prefixes: [], ranges: [] };
      const positive = { name: label.positive.join(', '), values: label.positive, prefixes: [], ranges: [] };
      return labelAdvice(categoryEncoder({ ...rules, vocabulary: [negative, positive] }).code);
    }
    case 'categorical':
      return labelAdvice(categoryEncoder({ ...rules, vocabulary: label.vocabulary }).code);
    case 'threshold':
      return thresholdEncoder(label, schema.missingMarkers);
    case 'next-character':
      return nextCharacterEncoder(charactersOf(schema), schema.missingMarkers);
    default:
      return assertNever(label);
  }
}

function labelAdvice(code: LabelEncoder): LabelEncoder {
  return (text, position) => {
    const found = code(text, position);
    return typeof found === 'number' ? found : { ...found, advice: labelHint };
  };
}

const labelHint =
  'every record needs a declared label: correct the schema, or drop such rows with a `drop` rule';

function thresholdEncoder(
  label: LabelSchema & { type: 'threshold' },
  markers: readonly string[],
): LabelEncoder {
  return (text) => {
    const value = markers.includes(text) ? undefined : parseNumber(text);
    if (value !== undefined) return value > label.above ? 1 : 0;
    return { code: 'DATA_VALUE_INVALID', expected: 'a finite decimal number', advice: labelHint };
  };
}

/** The class of a character is its code without the padding's: code - 1. */
function nextCharacterEncoder(
  feature: CharactersFeature | undefined,
  markers: readonly string[],
): LabelEncoder {
  const codesOf = characterCodes(feature ?? { vocabulary: '', other: 'refuse' });
  const missing = { ...missingMisfit('a text'), advice: labelHint };
  return (text, position) => {
    if (markers.includes(text)) return missing;
    const codes = codesOf(text);
    return codes instanceof Int32Array ? (codes[position] ?? 0) - 1 : codes;
  };
}

function windowEncoder(feature: CharactersFeature): FeatureEncoder {
  const codesOf = characterCodes(feature);
  const width = feature.encoding === 'codes' ? 1 : namesOf(feature).length / feature.window;
  return (text, target, at, position) => {
    const codes = codesOf(text);
    if (!(codes instanceof Int32Array)) return codes;
    const seen = codes.subarray(Math.max(0, position - feature.window), position);
    const start = at + (feature.window - seen.length) * width;
    if (feature.encoding === 'codes') target.set(seen, start);
    else
      seen.forEach((code, index) => {
        target[start + index * width + code - 1] = 1;
      });
    return undefined;
  };
}

function setEncoder({ separator, ...feature }: SetFeature): FeatureEncoder {
  const { code } = categoryEncoder({ ...feature, missing: 'refuse', missingMarkers: [] });
  return (text, target, at) => {
    for (const part of text === '' ? [] : text.split(separator)) {
      const found = code(part);
      if (typeof found !== 'number')
        return { ...found, expected: `${JSON.stringify(part)} to be ${found.expected}` };
      if (found >= 0) target[at + found] = 1;
    }
    return undefined;
  };
}

function oneHotEncoder(feature: CategoricalFeature, markers: readonly string[]): FeatureEncoder {
  const { code } = categoryEncoder({ ...feature, missingMarkers: markers });
  const skipped = feature.encoding === 'one-hot-without-first' ? 1 : 0;
  return (text, target, at) => {
    const found = code(text);
    if (typeof found !== 'number') return found;
    if (found >= skipped) target[at + found - skipped] = 1;
    return undefined;
  };
}

function numericEncoder(feature: NumericFeature, markers: readonly string[]): FeatureEncoder {
  const literals = new Map(Object.entries(feature.literals));
  const missing = new Set(markers);
  const toInput = scaler(feature);
  return (text, target, at) => {
    if (missing.has(text)) return encodeMissing(feature, target, at);
    const value = literals.get(text) ?? parseNumber(text);
    if (value === undefined) return numberMisfit(feature);
    if (feature.outside === 'refuse' && (value < feature.min || value > feature.max))
      return numberMisfit(feature);
    target[at] = toInput(Math.min(Math.max(value, feature.min), feature.max));
    return undefined;
  };
}

function encodeMissing(feature: NumericFeature, target: Float32Array, at: number): Misfit | undefined {
  switch (feature.missing) {
    case 'indicator':
      target[at + 1] = 1;
      return undefined;
    case 'zero':
      return undefined;
    case 'refuse':
      return missingMisfit(boundsText(feature));
    default:
      return assertNever(feature.missing);
  }
}

/** The map from a bounded value to the model's input: transform, then centre and scale. */
function scaler(feature: NumericFeature): (value: number) => number {
  const transform = feature.transform === 'log1p' ? Math.log1p : (value: number): number => value;
  const low = transform(feature.min);
  const width = transform(feature.max) - low;
  const { scaling } = feature;
  if (scaling === 'unit') return (value) => (transform(value) - low) / width;
  if (scaling === 'symmetric') return (value) => (2 * (transform(value) - low)) / width - 1;
  return (value) => (transform(value) - scaling.center) / scaling.scale;
}

function boundsText(feature: NumericFeature): string {
  return `a finite decimal number from ${feature.min} to ${feature.max}`;
}

function numberMisfit(feature: NumericFeature): Misfit {
  return {
    code: 'DATA_VALUE_INVALID',
    expected: boundsText(feature),
    advice: 'correct the value, name it in `missingMarkers` or `literals`, or widen the bounds at every site',
  };
}
