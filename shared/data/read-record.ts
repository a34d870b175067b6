import { categoryEncoder } from './category.ts';
import { type FeatureEncoder, featureEncoder } from './encode-feature.ts';
import type { FeatureSchema } from './feature-schema.ts';
import { type DataSchema, featureNames } from './schema.ts';

/** One record as a caller gives it: a value for each column that the schema's features read. */
export type NamedRecord = Readonly<Record<string, unknown>>;

/** Why a record cannot be read, and which of its fields is at fault. */
export interface RecordFault {
  readonly field: string;
  readonly code: 'DATA_VALUE_INVALID' | 'DATA_UNKNOWN_CATEGORY' | 'DATA_COLUMN_MISSING';
  readonly message: string;
}

/** Reads records one by one, by the schema alone, as `encodeTable` reads rows. */
export interface RecordReader {
  /** Inputs of the model, in order. */
  readonly featureNames: readonly string[];
  /** Fields that a named record must have; those of the subpopulations may be given too, and no others. */
  readonly fields: readonly string[];
  /** Whether records may come as vectors of inputs: only where a feature is an image or characters. */
  readonly takesEncoded: boolean;
  /** Writes a record's inputs into `target` from `at` on, where zeros stand; or says what is wrong, having written some. */
  readonly read: (record: NamedRecord, target: Float32Array, at: number) => RecordFault | undefined;
  /** The same for a vector of inputs. */
  readonly readEncoded: (
    values: readonly number[],
    target: Float32Array,
    at: number,
  ) => RecordFault | undefined;
  /** Index into each subpopulation's vocabulary, -1 where the record does not tell; shape (numSubpopulations,). */
  readonly groups: (record: NamedRecord) => number[];
}

/** The reader of records by this schema. */
export function recordReader(schema: DataSchema): RecordReader {
  const names = featureNames(schema);
  const fields = [...new Set(schema.features.map(({ column }) => column))];
  const readers = fieldReaders(schema);
  const groupOf = schema.subpopulations.map((declared) => {
    const missingMarkers = declared.missingMarkers ?? schema.missingMarkers;
    const { code } = categoryEncoder({ ...declared, missingMarkers });
    return { column: declared.column, marker: missingMarkers[0] ?? '', code };
  });
  const known = new Set([...fields, ...groupOf.map(({ column }) => column)]);
  return {
    featureNames: names,
    fields,
    takesEncoded: schema.features.some(({ type }) => type === 'image' || type === 'characters'),
    read: (record, target, at) => {
      const stranger = Object.keys(record).find((field) => !known.has(field));
      if (stranger !== undefined) return unknownField(stranger, fields);
      return firstFault(readers, (reader) => reader(record, target, at));
    },
    readEncoded: encodedReader(schema, names),
    groups: (record) =>
      groupOf.map(({ column, marker, code }) => {
        const text = Object.hasOwn(record, column) ? textOf(record[column], marker, undefined) : undefined;
        const found = text === undefined ? -1 : code(text);
        return typeof found === 'number' ? found : -1;
      }),
  };
}

type FieldReader = (record: NamedRecord, target: Float32Array, at: number) => RecordFault | undefined;

function fieldReaders(schema: DataSchema): FieldReader[] {
  let start = 0;
  return schema.features.map((feature) => {
    const offset = start;
    start += featureNames({ features: [feature] }).length;
    return feature.type === 'image' ? imageReader(feature.column) : fieldReader(feature, schema, offset);
  });
}

function imageReader(column: string): FieldReader {
  return () => invalid(column, 'an image has no text: give the record as a vector of inputs');
}

function fieldReader(feature: FeatureSchema, { missingMarkers }: DataSchema, offset: number): FieldReader {
  const encode = featureEncoder(feature, missingMarkers, undefined);
  const own = 'missingMarkers' in feature ? feature.missingMarkers : undefined;
  const marker = (own ?? missingMarkers)[0] ?? '';
  const separator = feature.type === 'set' ? feature.separator : undefined;
  const { column } = feature;
  return (record, target, at) => {
    if (!Object.hasOwn(record, column))
      return {
        field: column,
        code: 'DATA_COLUMN_MISSING',
        message: `the field is missing; null says that its value is not known`,
      };
    const text = textOf(record[column], marker, separator);
    if (text === undefined) return invalid(column, `expected ${takes(separator)}`);
    return misfitOf(column, encode(text, target, at + offset, positionIn(text, feature)));
  };
}

function takes(separator: string | undefined): string {
  const list = separator === undefined ? '' : ' a list of texts,';
  return `a text of at most ${longestText} characters, a number,${list} or null for a value that is not known`;
}

/** The character after the text is the one asked for. */
function positionIn(text: string, feature: FeatureSchema): number {
  return feature.type === 'characters' ? Array.from(text).length : 0;
}

function misfitOf(field: string, misfit: ReturnType<FeatureEncoder>): RecordFault | undefined {
  return misfit && { field, code: misfit.code, message: `expected ${misfit.expected}` };
}

const longestText = 10_000;

/** A cell as a table would write it; undefined for what no cell can hold. */
function textOf(value: unknown, marker: string, separator: string | undefined): string | undefined {
  if (value === null) return separator === undefined ? marker : '';
  if (typeof value === 'string') return value.length <= longestText ? value : undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined;
  if (separator === undefined || !Array.isArray(value)) return undefined;
  const parts: readonly unknown[] = value;
  const isList = parts.length <= longestText && parts.every((part) => typeof part === 'string');
  return isList ? parts.join(separator) : undefined;
}

function encodedReader(schema: DataSchema, names: readonly string[]): RecordReader['readEncoded'] {
  const lowest = schema.features.flatMap((feature) => {
    const low = feature.type !== 'image' ? -Infinity : feature.scaling === 'unit' ? 0 : -1;
    return featureNames({ features: [feature] }).map(() => low);
  });
  return (values, target, at) => {
    if (values.length !== names.length)
      return invalid('encoded', `found ${values.length} inputs, expected ${names.length}`);
    const bad = values.findIndex((value, input) => {
      const low = lowest[input] ?? -Infinity;
      return !Number.isFinite(Math.fround(value)) || value < low || (low > -Infinity && value > 1);
    });
    if (bad >= 0) return invalid(names[bad] ?? '', 'expected a number within the bounds of the schema');
    target.set(values, at);
    return undefined;
  };
}

function unknownField(field: string, fields: readonly string[]): RecordFault {
  const shown = field.length > 40 ? `${field.slice(0, 40)}…` : field;
  return {
    field: shown,
    code: 'DATA_VALUE_INVALID',
    message: `the model has no such field; expected ${fields.join(', ')}`,
  };
}

function invalid(field: string, message: string): RecordFault {
  return { field, code: 'DATA_VALUE_INVALID', message };
}

function firstFault<T>(
  items: readonly T[],
  of: (item: T) => RecordFault | undefined,
): RecordFault | undefined {
  for (const item of items) {
    const fault = of(item);
    if (fault) return fault;
  }
  return undefined;
}
