import { parse } from 'yaml';
import type { z } from 'zod';
import { ParleyError } from './errors.ts';
import { faultsOf } from './faults.ts';

/**
 * Read a YAML (or JSON) file by its schema; defaults are filled in. `readText` reaches the file, so that this stays pure; `pages`
 * are those of the documentation that say what such a file holds.
 *
 * @throws FILE_NOT_FOUND when it cannot be read; CONFIG_INVALID with every place that does not fit and what was expected.
 */
export function loadConfig<T>(file: string, schema: z.ZodType<T>, readText: ReadText, pages: string): T {
  const value = parsedYaml(file, loadText(file, readText));
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const places = faultsOf(parsed.error, 'the file').join('; ');
  throw new ParleyError(
    'CONFIG_INVALID',
    `${file} does not fit: ${places}. Correct these places; see ${pages} for what such a file holds`,
  );
}

/** The pages on the files of a federation: of coordinators, sites and their keys. */
export const federationPages = 'README.md and docs/scenarios.md';

/** Reaches a text file, as readFileSync does. */
export type ReadText = (file: string) => string;

/** Read a text file that a configuration names, such as a certificate. Throws FILE_NOT_FOUND. */
export function loadText(file: string, readText: ReadText): string {
  return loadFile(file, readText);
}

/** Read any file that a configuration names, such as a model. Throws FILE_NOT_FOUND. */
export function loadFile<T>(file: string, read: (file: string) => T): T {
  try {
    return read(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError('FILE_NOT_FOUND', `${file} cannot be read (${reason}): check the path`, { cause });
  }
}

function parsedYaml(file: string, text: string): unknown {
  try {
    // No aliases: a short file of nested aliases would unfold to gigabytes.
    return parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError('CONFIG_INVALID', `${file} is not YAML: ${reason}`, { cause });
  }
}
