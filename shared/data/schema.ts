import { parse } from 'yaml';
import { z } from 'zod';
import { assertNever, ParleyError } from '../errors.ts';
import { faultsOf } from '../faults.ts';
import { categoryName, matcherShape, namesSomething, Vocabulary } from './category.ts';
import { type CharactersFeature, FeatureSchema, namesOf } from './feature-schema.ts';

/**
 * What a site's table means: which columns identify the user, which are features, which is the label. The schema is
 * public and the same at every site, and preprocessing uses nothing else: bounds, centres and vocabularies are declared,
 * never computed from the rows, because a statistic of the rows would be a release that no ledger accounts for.
 */

const column = z.string().min(1);
const markers = z.array(z.string());

/** What the model predicts. A missing label, or one that is not declared, is refused. */
const LabelSchema = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('binary'),
      column,
      positive: z.array(z.union([z.string(), z.number()])).min(1),
      negative: z.array(z.union([z.string(), z.number()])).min(1),
    })
    .refine(
      ({ positive, negative }) => !positive.some((value) => negative.includes(value)),
      'a value cannot be both positive and negative',
    ),
  /** Class 1 where the number is greater than `above`, else class 0. */
  z.strictObject({ type: z.literal('threshold'), column, above: z.number() }),
  /** One class for each entry of the vocabulary, in order. */
  z.strictObject({ type: z.literal('categorical'), column, vocabulary: Vocabulary.min(2) }),
  /** One record for each position of the text; one class for each character of the `characters` feature. */
  z.strictObject({
    type: z.literal('next-character'),
    column,
    /** Characters between the positions that become records. */
    stride: z.number().int().positive().default(1),
    /** The first positions of a row that become records; the others are left out. */
    maxRecordsPerRow: z.number().int().positive().default(1000),
  }),
]);
export type LabelSchema = z.infer<typeof LabelSchema>;

const SubpopulationSchema = z.strictObject({
  column,
  /** How reports call the grouping; the column's name unless given. */
  name: z.string().min(1).optional(),
  vocabulary: Vocabulary,
  other: z.enum(['category', 'refuse']).default('refuse'),
  missing: z.enum(['category', 'refuse']).default('refuse'),
  missingMarkers: markers.optional(),
});
export type SubpopulationSchema = z.infer<typeof SubpopulationSchema>;

/** Rows that are left out by a public rule: where a column matches, or where one of the columns is missing. */
const DropRule = z.union([
  z
    .strictObject({ column, ...matcherShape })
    .refine(namesSomething, 'a drop rule needs values, prefixes or ranges'),
  z.strictObject({ missingIn: z.array(column).min(1) }),
]);
export type DropRule = z.infer<typeof DropRule>;

/** The column whose value in a user's first record says at which site the user is, for scenarios. */
const SiteColumn = z.strictObject({ column, vocabulary: Vocabulary.optional() });
export type SiteColumn = z.infer<typeof SiteColumn>;

/** A whole schema file; docs/data.md explains every key. */
export const DataSchema = z
  .strictObject({
    description: z.string().optional(),
    /** The column that identifies the user, or `row` where every row is a user of its own. */
    user: z.union([z.literal('row'), z.strictObject({ column })]),
    /** Texts that stand for a missing value in every column that does not declare its own. */
    missingMarkers: markers.default(['']),
    drop: z.array(DropRule).default([]),
    label: LabelSchema,
    features: z.array(FeatureSchema).min(1),
    subpopulations: z.array(SubpopulationSchema).default([]),
    site: SiteColumn.optional(),
  })
  .superRefine((schema, context) => {
    repeated(schema.subpopulations.map(subpopulationName)).forEach((name) => {
      context.addIssue({ code: 'custom', path: ['subpopulations'], message: `"${name}" stands here twice` });
    });
    textFaults(schema).forEach((message) => {
      context.addIssue({ code: 'custom', path: ['features'], message });
    });
    schema.features.forEach((feature, index) => {
      if (feature.type !== 'characters' && feature.column === schema.label.column)
        context.addIssue({
          code: 'custom',
          path: ['features', index],
          message: `the label's column "${feature.column}" cannot be a feature`,
        });
    });
    repeated(featureNames(schema)).forEach((name) => {
      context.addIssue({ code: 'custom', path: ['features'], message: `"${name}" stands here twice` });
    });
  });
export type DataSchema = z.infer<typeof DataSchema>;

/**
 * Validate a parsed schema file. Throws DATA_SCHEMA_INVALID with every fault and where it stands; `source` names the file.
 */
export function parseDataSchema(input: unknown, source: string): DataSchema {
  const parsed = DataSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const faults = faultsOf(parsed.error, 'top level');
  throw new ParleyError(
    'DATA_SCHEMA_INVALID',
    `${source} is not a data schema: ${faults.join('; ')}; docs/data.md shows every key`,
    { cause: parsed.error },
  );
}

/** Read a schema file's YAML, in which aliases may stand. Throws DATA_SCHEMA_INVALID as {@link parseDataSchema}; `source` names the file. */
export function dataSchemaOf(yaml: string, source: string): DataSchema {
  let value: unknown;
  try {
    value = parse(yaml);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError('DATA_SCHEMA_INVALID', `${source} is not YAML: ${detail}`, { cause });
  }
  return parseDataSchema(value, source);
}

/** Names of the model's inputs in the order of a shard's columns, such as `age`, `age missing`, `sex=female`. */
export function featureNames(schema: Pick<DataSchema, 'features'>): string[] {
  return schema.features.flatMap(namesOf);
}

/** Number of model inputs; the first axis of a model specification's input shape. */
export function numFeaturesOf(schema: Pick<DataSchema, 'features'>): number {
  return featureNames(schema).length;
}

/** Number of classes of the label, >= 2. */
export function numClassesOf(schema: Pick<DataSchema, 'label' | 'features'>): number {
  if (schema.label.type === 'next-character') return numCharacters(charactersOf(schema));
  return schema.label.type === 'categorical' ? schema.label.vocabulary.length : 2;
}

/** What reports call each class of the label, by its index; shape (numClasses,). */
export function classNames({ label, ...schema }: Pick<DataSchema, 'label' | 'features'>): string[] {
  switch (label.type) {
    case 'binary':
      return [label.negative.join(', '), label.positive.join(', ')];
    case 'threshold':
      return [`at most ${label.above}`, `above ${label.above}`];
    case 'categorical':
      return label.vocabulary.map(categoryName);
    case 'next-character': {
      const feature = charactersOf(schema);
      return [...Array.from(feature?.vocabulary ?? ''), ...(feature?.other === 'category' ? ['other'] : [])];
    }
    default:
      return assertNever(label);
  }
}

/** The schema's text feature, of which there is exactly one where the label is `next-character`, and none elsewhere. */
export function charactersOf(schema: Pick<DataSchema, 'features'>): CharactersFeature | undefined {
  return schema.features.find((feature) => feature.type === 'characters');
}

/** Codes of a text feature without that of the padding: 1 .. this number. */
function numCharacters(feature: CharactersFeature | undefined): number {
  return feature === undefined
    ? 0
    : Array.from(feature.vocabulary).length + (feature.other === 'category' ? 1 : 0);
}

/** How reports call a subpopulation column. */
export function subpopulationName(declared: SubpopulationSchema): string {
  return declared.name ?? declared.column;
}

/** The columns that the schema reads, without repetition. */
export function columnsOf(schema: DataSchema): string[] {
  const dropped = schema.drop.flatMap((rule) => ('missingIn' in rule ? rule.missingIn : [rule.column]));
  return [
    ...new Set([
      ...(schema.user === 'row' ? [] : [schema.user.column]),
      schema.label.column,
      ...schema.features.map((feature) => feature.column),
      ...schema.subpopulations.map((declared) => declared.column),
      ...dropped,
      ...(schema.site === undefined ? [] : [schema.site.column]),
    ]),
  ];
}

/** A text feature and a label that asks for the next character need each other, on one column. */
function textFaults({ features, label }: Pick<DataSchema, 'features' | 'label'>): string[] {
  const texts = features.filter((feature) => feature.type === 'characters');
  if (label.type !== 'next-character')
    return texts.map(({ column }) => `the characters of "${column}" need a label of type next-character`);
  return texts.length === 1 && texts[0]?.column === label.column
    ? []
    : [
        `a next-character label needs exactly one feature of type characters, of its column "${label.column}"`,
      ];
}

function repeated(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.size === seen.add(name).size);
}
