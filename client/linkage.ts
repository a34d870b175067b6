import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { loadText } from '../shared/config.ts';
import { LinkageKeyFile, type LinkedSite, WeightTable } from '../shared/data/linkage.ts';
import { type Linkage, linkageOf } from '../shared/data/linked-users.ts';
import { ParleyError } from '../shared/errors.ts';
import { parsedJson } from '../shared/protocol/json.ts';
import type { Sha256 } from '../shared/units.ts';

/** Where a site's linkage lies; absolute paths. */
export interface LinkageFiles {
  readonly key: string;
  readonly weights: string;
}

/** A site's linked users, and the linkage that their weights come from: it must be the same at every site. */
export interface LoadedLinkage {
  readonly linkage: Linkage;
  readonly id: Sha256;
}

/**
 * Read a site's linkage and hold it against the site's data.
 *
 * @throws FILE_NOT_FOUND; LINKAGE_INVALID when a file is damaged or of another kind or version, or when the table was made
 * for another site, key or data.
 */
export function loadLinkage(files: LinkageFiles, site: Omit<LinkedSite, 'key'>): LoadedLinkage {
  const { key } = readLinkageFile(files.key, LinkageKeyFile);
  const table = readLinkageFile(files.weights, WeightTable);
  return { linkage: linkageOf(table, { ...site, key }), id: table.linkage };
}

/** Read one of the three kinds of linkage files. Throws FILE_NOT_FOUND, LINKAGE_INVALID. */
export function readLinkageFile<T>(file: string, schema: z.ZodType<T>): T {
  const text = loadText(file, (path) => readFileSync(path, 'utf8'));
  const parsed = schema.safeParse(parsedJson(text));
  if (parsed.success) return parsed.data;
  // One place is enough: in a file cut short or of another kind there are as many as it has users.
  const [issue] = parsed.error.issues;
  throw new ParleyError(
    'LINKAGE_INVALID',
    `${file} is no whole file of the kind expected here (${issue?.path.join('.') || 'the file'}: ${issue?.message ?? ''}): ` +
      'make it anew with `parley linkage`, or copy it again',
  );
}
