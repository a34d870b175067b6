import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientConfig, SitePolicy } from '../client/index.ts';
import { type Identity, identityFrom } from '../shared/crypto/identity.ts';
import { linkageKeyFrom } from '../shared/crypto/pseudonym.ts';
import { seededRng } from '../shared/random/rng.ts';
import type { Seed, SiteId } from '../shared/units.ts';
import { linkageFiles, linkSites } from './link-sites.ts';
import type { Scenario } from './scenario.ts';
import { scenarioData } from './scenario-data.ts';

/** A simulated site: its identity, and the folder that holds what a real site would hold. */
export interface PreparedSite {
  readonly id: SiteId;
  readonly identity: Identity;
  readonly folder: string;
  readonly data: ClientConfig['data'];
  /** Where the scenario has a public part; the same for all. */
  readonly publicTable: ClientConfig['publicTable'];
  /** Where the sites share users. */
  readonly linked?: Pick<ClientConfig, 'linkage' | 'declaredUsers'>;
}

interface Preparation {
  readonly scenario: Scenario;
  readonly seed: Seed;
  /** The run directory; each site gets a folder `sites/<id>` in it. */
  readonly directory: string;
  readonly dataDirectories: readonly string[];
}

/**
 * Lay out every site's folder: identity, policy, and data where they are made up. The same seed lays out the same folders,
 * so a run that was stopped finds its sites again.
 *
 * @throws FILE_NOT_FOUND when a table is in none of the data directories.
 */
export async function prepareSites(preparation: Preparation): Promise<readonly PreparedSite[]> {
  const { scenario, seed, directory } = preparation;
  const rng = seededRng(seed).fork('identities');
  const { data, publicTable } = await scenarioData(preparation);
  const sites = [...data].map(([id, data]) => {
    const folder = siteFolder(directory, id);
    const identity = identityFrom(rng.fork(id).bytes(32));
    writeJson(join(folder, 'identity.json'), identity);
    writeJson(join(folder, 'policy.yaml'), scenario.sites.policy satisfies SitePolicy);
    return { id, identity, folder, data, publicTable };
  });
  return scenario.data.type === 'spread-table' ? linked(sites, preparation) : sites;
}

/** Sites that share users, linked. What they declare is near the number of persons that may train, each by her weights. */
async function linked(
  sites: readonly PreparedSite[],
  preparation: Preparation,
): Promise<readonly PreparedSite[]> {
  const { scenario, seed, directory } = preparation;
  const linkable = sites.map((site) => {
    const coordinator = { url: 'wss://not-yet-known', publicKey: site.identity.publicKey };
    const unlinked = { ...site, linked: { linkage: linkageFiles } };
    return { folder: site.folder, config: writeClientConfig(unlinked, coordinator, preparation) };
  });
  const key = linkageKeyFrom(seededRng(seed).fork('linkage key').bytes(32));
  const sums = await linkSites(linkable, key, directory);
  const { fraction, referenceFraction } = scenario.sites.audit;
  const training = 1 - fraction * (1 - (1 - referenceFraction) / 2);
  return sites.map((site, index) => {
    const declaredUsers = Math.max(1, Math.round((sums[index] ?? 0) * training));
    return { ...site, linked: { linkage: linkageFiles, declaredUsers } };
  });
}

/** Write a site's configuration once the coordinator's address and key are known; returns the file's path. */
export function writeClientConfig(
  site: PreparedSite,
  coordinator: ClientConfig['coordinator'],
  { scenario, seed }: Pick<Preparation, 'scenario' | 'seed'>,
): string {
  const config: ClientConfig = {
    site: site.id,
    coordinator,
    identity: 'identity.json',
    data: site.data,
    ...(site.publicTable && { publicTable: site.publicTable }),
    policy: 'policy.yaml',
    ledger: 'ledger.sqlite',
    ...site.linked,
    audit: scenario.sites.audit,
    trainer: scenario.sites.trainer,
    noise: scenario.sites.noise,
    seed,
    ...(scenario.redTeam && { redTeam: scenario.redTeam }),
  };
  const file = join(site.folder, 'client.yaml');
  writeJson(file, config);
  return file;
}

function siteFolder(directory: string, id: SiteId): string {
  const folder = join(directory, 'sites', id);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** JSON is YAML: one writer serves both. */
function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}
