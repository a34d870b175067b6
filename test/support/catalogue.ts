import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const folder = 'scenarios/catalog';

/** Paths of the catalogue's files: scenarios, and grids, which say `vary`. */
export function catalogueFiles(): { scenarios: string[]; grids: string[] } {
  const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
  const isGrid = (file: string): boolean =>
    'vary' in (parse(readFileSync(join(folder, file), 'utf8'), { maxAliasCount: 0 }) as object);
  return {
    scenarios: files.filter((file) => !isGrid(file)).map((file) => join(folder, file)),
    grids: files.filter(isGrid).map((file) => join(folder, file)),
  };
}
