import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { federationPages, loadConfig } from '../shared/config.ts';
import { ParleyError } from '../shared/errors.ts';
import type { RunId } from '../shared/units.ts';
import { unpackRoles } from './audit-roles.ts';
import { ClientConfig } from './config.ts';
import { inspectLedger } from './ledger.ts';
import { drawnOnce } from './ledger-drawn.ts';
import { assertIsOf, generatorOf } from './ledger-generator.ts';
import { releaseBytes } from './ledger-store.ts';
import { loadSource } from './load-shard.ts';
import { unpackMislabelled } from './mislabelled.ts';
import { type RunUsers, withCanaries } from './run-users.ts';

/** What a simulated site held in a finished run, laid open for experiments on what an attacker could have seen. */
export interface SimulatedSite extends RunUsers {
  /** Encoded releases by round. */
  readonly releases: ReadonlyMap<number, Uint8Array>;
}

/**
 * Open a simulated site after a run. A real site is never opened: its data and releases are nobody's to experiment on.
 *
 * @throws CONFIG_INVALID for a site without a seed, or with a real site's ledger; RUN_NOT_FOUND when the site took no part in the run; STALE_ROUND when
 * its releases were dropped after the coordinator had confirmed them; FILE_NOT_FOUND, DATA_..., LEDGER_CORRUPT.
 */
export async function openSimulatedSite(configFile: string, run: RunId): Promise<SimulatedSite> {
  const config = loadConfig(configFile, ClientConfig, (path) => readFileSync(path, 'utf8'), federationPages);
  if (config.seed === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      `${configFile} is the configuration of a real site: experiments open the sites of simulations only, which have a seed`,
    );
  const at = (path: string): string => resolve(dirname(configFile), path);
  const shard = await loadSource(config.data, at);
  return inspectLedger(at(config.ledger), async (view, db) => {
    assertIsOf('seeded', (await generatorOf(db, at(config.ledger))) ?? 'seeded', at(config.ledger));
    const drawn = (key: string): Promise<Int32Array> => drawnOnce(db, key, tookNoPart(configFile, run));
    const users = withCanaries(
      { shard, weights: undefined },
      {
        own: unpackRoles(await drawn(run)),
        mislabelled: unpackMislabelled(await drawn(`${run} mislabelled`)),
        freshFraction: config.audit.freshFraction,
      },
    );
    const releases = new Map<number, Uint8Array>();
    for (const record of view.records())
      if (record.run === run) releases.set(record.round, await releaseBytes(db, record));
    return { ...users, releases };
  });
}

function tookNoPart(configFile: string, run: RunId): () => never {
  return () => {
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `${configFile}: this site took no part in run ${run}; give the directory of the run that it belongs to`,
    );
  };
}
