import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { federationPages, loadConfig } from '../shared/config.ts';
import { type KeyCheck, keyCheckOf, type LinkageKey, linkageKeyFrom } from '../shared/crypto/pseudonym.ts';
import {
  LinkageKeyFile,
  PseudonymList,
  pseudonymList,
  type WeightTable,
  weightTables,
} from '../shared/data/linkage.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Rng } from '../shared/random/rng.ts';
import type { Sha256, SiteId } from '../shared/units.ts';
import { ClientConfig } from './config.ts';
import { readLinkageFile } from './linkage.ts';
import { loadShard, readDataSchema } from './load-shard.ts';

/**
 * The steps by which sites link their users (docs/linkage.md). None of the files may reach the coordinator. Nothing here
 * prints a count: how many people sites share is a statistic of the records.
 */

/**
 * `parley linkage key`: make the key that linked sites share. An existing file is never overwritten.
 *
 * @throws CONFIG_INVALID when the file exists already.
 */
export function createLinkageKey(file: string, rng: Rng): { readonly keyCheck: KeyCheck } {
  if (existsSync(file))
    throw new ParleyError(
      'CONFIG_INVALID',
      `${file} exists already: a key is never overwritten, give another path`,
    );
  return writeLinkageKey(file, linkageKeyFrom(rng.bytes(32)));
}

/** Write a linkage key to a file that only its owner can read. */
export function writeLinkageKey(file: string, key: LinkageKey): { readonly keyCheck: KeyCheck } {
  writePrivate(file, { type: 'linkage-key', version: 1, key } satisfies LinkageKeyFile);
  return { keyCheck: keyCheckOf(key) };
}

/**
 * `parley linkage pseudonyms`: write a site's list, from the data that its configuration names. The table of weights need
 * not exist yet.
 *
 * @throws FILE_NOT_FOUND, DATA_...; CONFIG_INVALID when the configuration names no linkage; LINKAGE_INVALID when the key
 * file is damaged.
 */
export async function writePseudonyms(
  configFile: string,
  out: string,
): Promise<{ readonly site: SiteId; readonly keyCheck: KeyCheck }> {
  const config = loadConfig(configFile, ClientConfig, (path) => readFileSync(path, 'utf8'), federationPages);
  if (config.linkage === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      `${configFile} names no linkage: add \`linkage: {key: FILE, weights: FILE}\` with the key that the sites share`,
    );
  const at = (path: string): string => resolve(dirname(configFile), path);
  const { key } = readLinkageFile(at(config.linkage.key), LinkageKeyFile);
  const schema = await readDataSchema(at(config.data.schema));
  const { file, site: rule } = config.data;
  const shard = await loadShard({ file: at(file), schema, ...(rule !== undefined && { site: rule }) });
  const { site, audit } = config;
  const list = pseudonymList({ site, key, audit, userIds: shard.userIds });
  writePrivate(out, list);
  return { site, keyCheck: list.keyCheck };
}

/**
 * `parley linkage weights`: read the lists of all linked sites and write one table for each, `DIRECTORY/<site>.json`, for
 * that site only.
 *
 * @throws FILE_NOT_FOUND; LINKAGE_INVALID when a list is damaged or the lists do not belong together.
 */
export function writeWeights(
  listFiles: readonly string[],
  directory: string,
): { readonly linkage: Sha256; readonly files: readonly string[] } {
  const tables = weightTables(listFiles.map((file) => readLinkageFile(file, PseudonymList)));
  const [first] = tables;
  if (first === undefined) throw new RangeError('weights need at least one list');
  const files = tables.map((table) => {
    const file = join(directory, `${table.site}.json`);
    writePrivate(file, table satisfies WeightTable);
    return file;
  });
  return { linkage: first.linkage, files };
}

function writePrivate(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value)}\n`, { mode: 0o600 });
}
