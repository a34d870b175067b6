import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { federationPages, loadConfig } from '../shared/config.ts';
import { Identity } from '../shared/crypto/identity.ts';
import type { Farewell } from '../shared/protocol/plan.ts';
import type { Connect } from '../shared/protocol/transport.ts';
import { secureRng, seededRng } from '../shared/random/rng.ts';
import { loadAuthority } from './authority.ts';
import { type ClientObserver, runClient } from './client.ts';
import { ClientConfig } from './config.ts';
import { socketConnect } from './connection.ts';
import { openLedger } from './ledger.ts';
import { ledgerFault } from './ledger-database.ts';
import { type LoadedLinkage, loadLinkage } from './linkage.ts';
import { type LoadShardOptions, loadSource } from './load-shard.ts';
import { SitePolicy } from './policy.ts';
import type { Site } from './site.ts';

/** What a launch may decide instead of the configuration file. */
export interface Launch {
  readonly observer: ClientObserver;
  readonly signal: AbortSignal;
  /** Another transport than a socket to the configured address. */
  readonly connect?: Connect;
  /** Reads tables: simulated sites of one process share their reads. */
  readonly readTable?: LoadShardOptions['read'];
  /** Hears the steps of each release. */
  readonly mark?: Site['mark'];
}

/**
 * Start a site from its configuration file and be part of the federation until the coordinator says farewell.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID, DATA_..., LINKAGE_INVALID, LEDGER_CORRUPT, INSECURE_URL before anything is connected; then what
 * {@link runClient} throws.
 */
export async function launchClient(
  file: string,
  { observer, signal, connect, readTable, mark }: Launch,
): Promise<Farewell> {
  const readText = (path: string): string => readFileSync(path, 'utf8');
  const config = loadConfig(file, ClientConfig, readText, federationPages);
  const at = (path: string): string => resolve(dirname(file), path);
  const policy = loadConfig(at(config.policy), SitePolicy, readText, federationPages);
  const identity = loadConfig(at(config.identity), Identity, readText, federationPages);
  const { url, ca, publicKey } = config.coordinator;
  const transport =
    connect ?? socketConnect({ url, ca: ca === undefined ? undefined : loadAuthority(at(ca), readText) });
  const shard = await loadSource(config.data, at, readTable);
  const publicShard = config.publicTable && (await loadSource(config.publicTable, at, readTable));
  const linked = linkedUsers(config, at, shard.userIds);
  if (linked) observer.note(`linkage ${linked.id}: the same at every linked site, or a person counts twice`);
  const rng = config.seed === undefined ? secureRng() : seededRng(config.seed).fork(`site ${config.site}`);
  const ledger = await openLedger(at(config.ledger), { ...policy, generator: rng.kind });
  try {
    const { redTeam } = config;
    if (redTeam) observer.note('red team: this site claims protection and breaks it on purpose');
    const { sampler } = config.noise;
    const users = { shard, publicShard, linkage: linked?.linkage, weights: linked?.linkage.weights };
    return await runClient({
      ...config,
      name: config.site,
      identity,
      coordinatorKey: publicKey,
      connect: transport,
      site: { ...users, policy, ledger, rng, sampler, mark, redTeam },
      observer,
      signal,
    });
  } catch (error) {
    throw ledgerFault(error, at(config.ledger));
  } finally {
    await ledger.close();
  }
}

function linkedUsers(
  { linkage, site, audit }: ClientConfig,
  at: (path: string) => string,
  userIds: readonly string[],
): LoadedLinkage | undefined {
  if (linkage === undefined) return undefined;
  const files = { key: at(linkage.key), weights: at(linkage.weights) };
  return loadLinkage(files, { site, audit, userIds });
}
