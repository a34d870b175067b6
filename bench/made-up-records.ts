import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Category } from '../shared/data/category.ts';
import type { FeatureSchema } from '../shared/data/feature-schema.ts';
import { type DataSchema, dataSchemaOf } from '../shared/data/schema.ts';
import type { Rng } from '../shared/random/rng.ts';
import { uniformBelow } from '../shared/random/sample.ts';

/** The real schema of diabetes130. */
export const schemaFile = resolve('scenarios/catalog/schemas/diabetes130.yaml');

/** What stands in it. */
export function realSchema(): DataSchema {
  return dataSchemaOf(readFileSync(schemaFile, 'utf8'), schemaFile);
}

/** A record by a schema of numbers and categories, every value as likely as another. */
export function madeUpRecord({ features }: DataSchema, rng: Rng): Record<string, string> {
  return Object.fromEntries(features.map((feature) => [feature.column, madeUpCell(feature, rng)]));
}

function madeUpCell(feature: FeatureSchema, rng: Rng): string {
  if (feature.type === 'numeric')
    return String(feature.min + uniformBelow(rng, Math.floor(feature.max - feature.min) + 1));
  if (feature.type !== 'categorical') throw new TypeError(`no made-up ${feature.type}`);
  return textOf(feature.vocabulary[uniformBelow(rng, feature.vocabulary.length)] ?? '');
}

function textOf(category: Category): string {
  if (typeof category !== 'object') return String(category);
  const [{ from, below } = {}] = category.ranges;
  return String(category.values[0] ?? category.prefixes[0] ?? from ?? below ?? '');
}
