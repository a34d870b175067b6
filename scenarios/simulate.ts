import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchClient, loadSource, sharedReads } from '../client/index.ts';
import {
  listen,
  type Observer,
  type Outcome,
  prepareDirectory,
  runCoordinator,
} from '../coordinator/index.ts';
import { loadFile } from '../shared/config.ts';
import { identityFrom } from '../shared/crypto/identity.ts';
import { inProcessConnect } from '../shared/protocol/in-process.ts';
import type { CoordinatorPort } from '../shared/protocol/transport.ts';
import { seededRng } from '../shared/random/rng.ts';
import type { Seed } from '../shared/units.ts';
import { spawnClients } from './client-processes.ts';
import { type PreparedSite, prepareSites, writeClientConfig } from './prepare-sites.ts';
import { begunRun, writeWhole } from './run-directory.ts';
import { assertSameScenario } from './same-scenario.ts';
import type { Scenario } from './scenario.ts';

/** One run of a scenario. */
export interface Simulation {
  readonly scenario: Scenario;
  readonly seed: Seed;
  /** The run directory; a run that it holds is gone on with. */
  readonly directory: string;
  readonly dataDirectories: readonly string[];
  /** One process and no sockets instead of one process for each site; the results are the same. */
  readonly inProcess: boolean;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/**
 * Simulate a federation: a coordinator and its sites, each with its own folder, ledger and policy. Everything random is
 * drawn from the seed, so the run repeats exactly and every artefact is stamped `simulation: not private`.
 *
 * @throws RUN_MISMATCH, before anything is written, when the directory holds a run of another scenario; what the coordinator
 * throws, and what a site throws that cannot take part.
 */
export async function simulate(simulation: Simulation): Promise<Outcome> {
  const { scenario, seed, directory, observer } = simulation;
  const begun = begunRun(directory);
  if (begun) assertSameScenario(begun, simulation);
  prepareDirectory(directory);
  // With the manifest, all that a repetition of the run takes.
  writeWhole(join(directory, 'scenario.json'), scenario);
  const sites = await prepareSites(simulation);
  const publicTable = sites[0]?.publicTable;
  const identity = identityFrom(seededRng(seed).fork('coordinator identity').bytes(32));
  const clients = watchClients();
  const arrivalChecks = scenario.redTeam ? 'note' : 'refuse';
  const signal = AbortSignal.any([simulation.signal, clients.ended.signal]);
  const configure = (url: string) => (site: PreparedSite) =>
    writeClientConfig(site, { url, publicKey: identity.publicKey }, simulation);
  const serve = async (port: CoordinatorPort): Promise<{ close(): Promise<void> }> => {
    if (simulation.inProcess) {
      const launch = {
        connect: inProcessConnect(port),
        observer: quiet,
        signal,
        readTable: sharedReads(),
      };
      clients.watch(sites.map(configure('wss://in-process')).map((file) => launchClient(file, launch)));
      return { close: () => Promise.resolve() };
    }
    const server = await listen({ host: '127.0.0.1', port: 0, core: port });
    const files = sites.map(configure(`ws://127.0.0.1:${server.port}`));
    clients.watch(spawnClients(files, { signal, note: observer.note }));
    return server;
  };
  try {
    return await runCoordinator({
      federation: { ...scenario.federation, arrivalChecks, seed },
      referenceModels: scenario.federation.audit.referenceModels.map((path) => loadFile(path, readBytes)),
      publicShard: publicTable && (() => loadSource(publicTable, (path) => path)),
      identity,
      sites: new Map(sites.map((site) => [site.id, site.identity.publicKey])),
      directory,
      rng: seededRng(seed),
      observer,
      signal,
      serve,
    });
  } catch (error) {
    throw clients.failure() ?? error;
  } finally {
    clients.ended.abort();
    await clients.settled();
  }
}

function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

interface Clients {
  /** Aborts when the run has ended, or when a client has failed. */
  readonly ended: AbortController;
  readonly watch: (running: readonly Promise<unknown>[]) => void;
  /** Why the first client failed while the run went on. */
  readonly failure: () => unknown;
  readonly settled: () => Promise<unknown>;
}

/** A site that cannot take part is a fault of the scenario: the coordinator need not wait for its deadline. */
function watchClients(): Clients {
  const ended = new AbortController();
  let failure: unknown;
  let all: Promise<unknown> = Promise.resolve();
  const failed = (error: unknown): void => {
    if (!ended.signal.aborted) failure = error;
    ended.abort();
  };
  return {
    ended,
    watch: (running) => {
      all = Promise.all(running.map((client) => client.catch(failed)));
    },
    failure: () => failure,
    settled: () => all,
  };
}

const quiet = { note: (): void => undefined, report: (): void => undefined };

/** Where the run of one seed lies: the output directory itself when there is only one. */
export function runDirectory(out: string, seeds: readonly Seed[], seed: Seed): string {
  return seeds.length === 1 ? out : join(out, `seed-${seed}`);
}
