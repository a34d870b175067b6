import { z } from 'zod';

/**
 * Declared categories: how the text of one cell becomes one of a public list of names. The list comes from the schema,
 * never from the rows, so the existence of a value at a site is not revealed by the shape of its features.
 */

/** A string is compared as text, exactly; a number as a number, so that 1 matches `1`, `1.0` and `01`. */
const Literal = z.union([z.string(), z.number()]);
type Literal = z.infer<typeof Literal>;

/** Numbers with from <= value < below; an end left out is open. */
const NumberRange = z
  .strictObject({ from: z.number().optional(), below: z.number().optional() })
  .refine(({ from, below }) => from !== undefined || below !== undefined, 'name `from`, `below` or both')
  .refine(
    ({ from, below }) => from === undefined || below === undefined || from < below,
    '`from` must lie under `below`',
  );

/** What a cell may hold to match: one of the values, a text prefix, or a number in one of the ranges. */
export const matcherShape = {
  values: z.array(Literal).default([]),
  prefixes: z.array(z.string().min(1)).default([]),
  ranges: z.array(NumberRange).default([]),
};
export type Matcher = z.infer<z.ZodObject<typeof matcherShape>>;

/** True where a matcher names anything at all. */
export function namesSomething(matcher: Matcher): boolean {
  return matcher.values.length + matcher.prefixes.length + matcher.ranges.length > 0;
}

const Group = z
  .strictObject({ name: z.string().min(1), ...matcherShape })
  .refine(namesSomething, 'a group needs values, prefixes or ranges');

/** One category: a literal that is its own name, or a named group of values, prefixes and ranges. */
export const Category = z.union([Literal, Group]);
export type Category = z.infer<typeof Category>;

/** The public list of categories of a column, at least one, with distinct names. The first one that matches wins. */
export const Vocabulary = z
  .array(Category)
  .min(1)
  .superRefine((vocabulary, context) => {
    const names = vocabulary.map(categoryName);
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index)
        context.addIssue({
          code: 'custom',
          path: [index],
          message: `the category "${name}" stands here twice`,
        });
    });
  });

/** The name under which a category appears in features, subpopulations and reports. */
export function categoryName(category: Category): string {
  return typeof category === 'object' ? category.name : String(category);
}

/** What a cell turned out to hold instead of what the schema expects; the caller adds file, row and column. */
export interface Misfit {
  readonly code: 'DATA_VALUE_INVALID' | 'DATA_UNKNOWN_CATEGORY';
  readonly expected: string;
  readonly advice: string;
}

/** A declared categorical column. `missing` are the texts that stand for a missing value. */
export interface CategoryRules {
  readonly vocabulary: readonly Category[];
  readonly other: 'category' | 'zero' | 'refuse';
  readonly missing: 'category' | 'zero' | 'refuse';
  readonly missingMarkers: readonly string[];
}

/** Index into `names` of a cell's text, -1 where the rules say that it counts as none of them, or what is wrong with it. */
export interface CategoryEncoder {
  readonly names: readonly string[];
  readonly code: (text: string) => number | Misfit;
}

/** Build the encoder of a categorical column: `other` and `missing` follow the vocabulary where they are categories. */
export function categoryEncoder(rules: CategoryRules): CategoryEncoder {
  const names = rules.vocabulary.map(categoryName);
  const otherCode = rules.other === 'category' ? names.push('other') - 1 : -1;
  const missingCode = rules.missing === 'category' ? names.push('missing') - 1 : -1;
  const matches = rules.vocabulary.map((category) => matcherOf(toMatcher(category)));
  const expected = `one of ${listed(names)}`;
  const codeOf = (text: string): number | Misfit => {
    if (rules.missingMarkers.includes(text))
      return rules.missing === 'refuse' ? missingMisfit(expected) : missingCode;
    const code = matches.findIndex((match) => match(text));
    if (code >= 0) return code;
    return rules.other === 'refuse' ? unknownMisfit(expected) : otherCode;
  };
  return { names, code: remembered(codeOf) };
}

/** The misfit of a missing value in a column whose rule for missing values is `refuse`. */
export function missingMisfit(expected: string): Misfit {
  return {
    code: 'DATA_VALUE_INVALID',
    expected: `${expected}, and no missing value`,
    advice:
      "say what a missing value means with the column's `missing`, or drop such rows with a `drop` rule",
  };
}

function unknownMisfit(expected: string): Misfit {
  return {
    code: 'DATA_UNKNOWN_CATEGORY',
    expected,
    advice: 'add the value to the vocabulary at every site, or declare `other`',
  };
}

/** Compile a matcher into a test of a cell's text. */
export function matcherOf(matcher: Matcher): (text: string) => boolean {
  const texts = new Set(matcher.values.filter((value) => typeof value === 'string'));
  const numbers = new Set(matcher.values.filter((value) => typeof value === 'number'));
  const needsNumber = numbers.size > 0 || matcher.ranges.length > 0;
  return (text) => {
    if (texts.has(text) || matcher.prefixes.some((prefix) => text.startsWith(prefix))) return true;
    const value = needsNumber ? parseNumber(text) : undefined;
    if (value === undefined) return false;
    return (
      numbers.has(value) ||
      matcher.ranges.some(({ from, below }) => value >= (from ?? -Infinity) && value < (below ?? Infinity))
    );
  };
}

const numberText = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The finite number that a cell writes in decimal, such as `-1`, `.5` or `3.58e-2`; undefined for any other text. */
export function parseNumber(text: string): number | undefined {
  if (!numberText.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function toMatcher(category: Category): Matcher {
  return typeof category === 'object' ? category : { values: [category], prefixes: [], ranges: [] };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 12).map((name) => `"${name}"`);
  return shown.join(', ') + (names.length > 12 ? ` and ${names.length - 12} more` : '');
}

/** Texts that a column's encoder remembers: an endpoint is asked about whatever its callers think of. */
const mostRemembered = 10_000;

/** The same function with a bounded memory: columns repeat few values very often. */
function remembered<T>(of: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const value = of(text);
    if (known.size < mostRemembered) known.set(text, value);
    return value;
  };
}
