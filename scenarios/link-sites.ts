import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeLinkageKey, writePseudonyms, writeWeights } from '../client/index.ts';
import type { LinkageKey } from '../shared/crypto/pseudonym.ts';
import { WeightTable } from '../shared/data/linkage.ts';
import { parsedJson } from '../shared/protocol/json.ts';

/** What a linked site's configuration names, beside the configuration. */
export const linkageFiles = { key: 'linkage-key.json', weights: 'linkage-weights.json' };

/** A simulated site that has its data and a configuration which names {@link linkageFiles}. */
export interface Linkable {
  readonly folder: string;
  readonly config: string;
}

/**
 * Link simulated sites as real ones do, by the same steps: key, a list from each site, a table for each. Afterwards every
 * site's folder holds its key, its own list and its own table. Returns each site's sum of weights, in the order of the sites.
 *
 * @throws what the steps throw.
 */
export async function linkSites(
  sites: readonly Linkable[],
  key: LinkageKey,
  directory: string,
): Promise<readonly number[]> {
  const lists: string[] = [];
  for (const { folder, config } of sites) {
    writeLinkageKey(join(folder, linkageFiles.key), key);
    const list = join(folder, 'linkage-pseudonyms.json');
    await writePseudonyms(config, list);
    lists.push(list);
  }
  // Stands for the third party, who hands each site its own table and keeps nothing.
  const thirdParty = join(directory, 'linkage');
  const { files } = writeWeights(lists, thirdParty);
  const sums = sites.map(({ folder }, index) => {
    const file = join(folder, linkageFiles.weights);
    renameSync(files[index] ?? '', file);
    const { users } = WeightTable.parse(parsedJson(readFileSync(file, 'utf8')));
    return users.reduce((sum, [, weight]) => sum + weight, 0);
  });
  rmSync(thirdParty, { recursive: true });
  return sums;
}
