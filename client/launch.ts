import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadConfig, loadText } from '../shared/config.ts';
import { Identity } from '../shared/crypto/identity.ts';
import type { Farewell } from '../shared/protocol/plan.ts';
import type { Connect } from '../shared/protocol/transport.ts';
import { secureRng, seededRng } from '../shared/random/rng.ts';
import { type ClientObserver, runClient } from './client.ts';
import { ClientConfig } from './config.ts';
import { socketConnect } from './connection.ts';
import { openLedger } from './ledger.ts';
import { loadShard, readDataSchema } from './load-shard.ts';
import { SitePolicy } from './policy.ts';

/** What a launch may decide instead of the configuration file. */
export interface Launch {
  readonly observer: ClientObserver;
  readonly signal: AbortSignal;
  /** Another transport than a socket to the configured address. */
  readonly connect?: Connect;
}

/**
 * Start a site from its configuration file and be part of the federation until the coordinator says farewell.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID, DATA_..., LEDGER_CORRUPT, INSECURE_URL before anything is connected; then what
 * {@link runClient} throws.
 */
export async function launchClient(file: string, { observer, signal, connect }: Launch): Promise<Farewell> {
  const readText = (path: string): string => readFileSync(path, 'utf8');
  const config = loadConfig(file, ClientConfig, readText);
  const at = (path: string): string => resolve(dirname(file), path);
  const policy = loadConfig(at(config.policy), SitePolicy, readText);
  const identity = loadConfig(at(config.identity), Identity, readText);
  const { url, ca, publicKey } = config.coordinator;
  const transport =
    connect ?? socketConnect({ url, ca: ca === undefined ? undefined : loadText(at(ca), readText) });
  const schema = await readDataSchema(at(config.data.schema));
  const { file: table, site } = config.data;
  const shard = await loadShard({ file: at(table), schema, ...(site !== undefined && { site }) });
  const ledger = await openLedger(at(config.ledger));
  try {
    const rng = config.seed === undefined ? secureRng() : seededRng(config.seed).fork(`site ${config.site}`);
    return await runClient({
      ...config,
      name: config.site,
      identity,
      coordinatorKey: publicKey,
      connect: transport,
      site: { shard, policy, ledger, rng },
      observer,
      signal,
    });
  } finally {
    await ledger.close();
  }
}
