import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { federationPages, loadConfig, loadFile, loadText, type ReadText } from '../shared/config.ts';
import { Identity } from '../shared/crypto/identity.ts';
import { dataSchemaOf } from '../shared/data/schema.ts';
import type { Shard } from '../shared/data/shard.ts';
import { ParleyError } from '../shared/errors.ts';
import { secureRng, seededRng } from '../shared/random/rng.ts';
import { CoordinatorConfig } from './config.ts';
import { runCoordinator } from './coordinator.ts';
import { readPublicTable } from './public-table.ts';
import type { Outcome } from './run.ts';
import { listen } from './server.ts';
import type { Observer } from './state.ts';

/** A coordinator that has been started from a file: where its run lies, and how it ends. */
export interface Launched {
  readonly directory: string;
  readonly outcome: Promise<Outcome>;
}

/**
 * Start a coordinator from its configuration file; paths in it are relative to the file. Started again after any end, it
 * goes on from the last finished round.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID; the outcome rejects with what {@link runCoordinator} throws.
 */
export function launchCoordinator(
  file: string,
  watch: { observer: Observer; signal: AbortSignal },
): Launched {
  const readText = (path: string): string => readFileSync(path, 'utf8');
  const readBytes = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
  const {
    federation,
    listen: address,
    identity,
    sites,
    directory,
    publicTable,
  } = loadConfig(file, CoordinatorConfig, readText, federationPages);
  const at = (path: string): string => resolve(dirname(file), path);
  const keys = new Map(sites.map(({ id, publicKey }) => [id, publicKey]));
  if (keys.size < sites.length)
    throw new ParleyError('CONFIG_INVALID', `${file}: a site stands twice in the list of sites`);
  const tls = address.tls && {
    cert: loadText(at(address.tls.cert), readText),
    key: loadText(at(address.tls.key), readText),
  };
  const outcome = runCoordinator({
    federation,
    referenceModels: federation.audit.referenceModels.map((path) => loadFile(at(path), readBytes)),
    publicShard: publicTable && (() => publicShard(publicTable, at, readText)),
    identity: loadConfig(at(identity), Identity, readText, federationPages),
    sites: keys,
    directory: at(directory),
    rng: federation.seed === null ? secureRng() : seededRng(federation.seed),
    ...watch,
    serve: async (core) => {
      const server = await listen({ host: address.host, port: address.port, tls, core });
      watch.observer.note(`listening on ${address.host}:${server.port}`);
      return server;
    },
  });
  return { directory: at(directory), outcome };
}

function publicShard(
  { file, schema }: NonNullable<CoordinatorConfig['publicTable']>,
  at: (path: string) => string,
  readText: ReadText,
): Promise<Shard> {
  return readPublicTable(at(file), dataSchemaOf(loadText(at(schema), readText), at(schema)));
}
