import { z } from 'zod';
import { ParleyError } from '../errors.ts';
import { categoryName, matcherShape, namesSomething, Vocabulary } from './category.ts';

/**
 * What a site's table means: which columns identify the user, which are features, which is the label. The schema is
 * public and the same at every site, and preprocessing uses nothing else: bounds, centres and vocabularies are declared,
 * never computed from the rows, because a statistic of the rows would be a release that no ledger accounts for.
 */

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

/** One declared column that the model sees. */
export const FeatureSchema = z.discriminatedUnion('type', [NumericFeature, CategoricalFeature]);
export type FeatureSchema = z.infer<typeof FeatureSchema>;

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
    schema.features.forEach((feature, index) => {
      if (feature.column === schema.label.column)
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
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'top level'}: ${message}`,
  );
  throw new ParleyError(
    'DATA_SCHEMA_INVALID',
    `${source} is not a data schema: ${faults.join('; ')}; docs/data.md shows every key`,
    { cause: parsed.error },
  );
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
export function numClassesOf(schema: Pick<DataSchema, 'label'>): number {
  return schema.label.type === 'categorical' ? schema.label.vocabulary.length : 2;
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

function namesOf(feature: FeatureSchema): string[] {
  if (feature.type === 'numeric')
    return feature.missing === 'indicator' ? [feature.column, `${feature.column} missing`] : [feature.column];
  const skipped = feature.encoding === 'one-hot-without-first' ? 1 : 0;
  const names = feature.vocabulary.map(categoryName);
  if (feature.other === 'category') names.push('other');
  if (feature.missing === 'category') names.push('missing');
  return names.slice(skipped).map((name) => `${feature.column}=${name}`);
}

function repeated(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}
