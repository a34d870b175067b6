import { setMaxListeners } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AuditUsers } from '../client/audit-roles.ts';
import { runClient } from '../client/client.ts';
import { openLedger } from '../client/ledger.ts';
import { SitePolicy } from '../client/policy.ts';
import { FederationConfig } from '../coordinator/config.ts';
import { runCoordinator } from '../coordinator/coordinator.ts';
import { type Identity, identityFrom } from '../shared/crypto/identity.ts';
import { inProcessConnect } from '../shared/protocol/in-process.ts';
import type { Connect } from '../shared/protocol/transport.ts';
import { seededRng } from '../shared/random/rng.ts';
import { Seed, SiteId } from '../shared/units.ts';
import { processorSeconds, type Times } from './measure.ts';
import { type ModelInput, madeUpShard } from './users.ts';

/** A federation of made-up users, run in this process by the real coordinator and the real clients. */
export interface Federation {
  readonly model: ModelInput;
  readonly sites: number;
  readonly usersPerSite: number;
  readonly records: number;
  readonly samplingRate: number;
  /** Share of the users that are audit users. */
  readonly audited: number;
  /** Rounds that are measured, beside the first one. */
  readonly rounds: number;
  /** Holds the run and the sites' ledgers. */
  readonly directory: string;
}

/** What the rounds took. */
export interface RoundTimes {
  /** Everything from loaded data to the end of the first round: enrolment, audit coins, first scores. */
  readonly first: Times;
  readonly rounds: readonly Times[];
}

const seed = Seed.parse(7);
const delta = 1e-6;
const coordinator = identityFrom(seededRng(seed).fork('coordinator').bytes(32));
const silent = { note: (): void => undefined, report: (): void => undefined };

/** Exactly one million parameters in two tensors, or one hundred. */
export function millionParams(quick: boolean): ModelInput {
  const [inputs, classes] = quick ? [9, 10] : [999, 1000];
  return { inputShape: [inputs], output: { type: 'softmax', classes } };
}

/** The configuration of such a federation. */
export function configOf({ model, samplingRate, rounds }: Omit<Federation, 'directory'>): FederationConfig {
  return FederationConfig.parse({
    name: 'bench',
    rounds: rounds + 1,
    model,
    local: { epochs: 1, batchSize: 'all', learningRate: 0.1 },
    protection: { type: 'user-dp', clipNorm: 0.5, samplingRate, delta, noiseMultiplier: 1 },
    server: { type: 'fedavg', learningRate: 1 },
    cohort: { minSites: 1 },
    seed,
  });
}

/** Run it to its end, and tell what each round took, from the end of the one before. */
export async function runFederation(federation: Federation): Promise<RoundTimes> {
  const config = configOf(federation);
  const sites = Array.from({ length: federation.sites }, (_, index) => aSite(`site-${index}`));
  const launches = await Promise.all(sites.map((site) => prepared(site, federation, config)));
  const ended = new AbortController();
  // Every site listens.
  setMaxListeners(0, ended.signal);
  let clients: Promise<unknown> = Promise.resolve();
  const clock = lapClock();
  const laps: Times[] = [];
  try {
    await runCoordinator({
      federation: config,
      identity: coordinator,
      sites: new Map(sites.map(({ id, identity }) => [id, identity.publicKey])),
      directory: join(federation.directory, 'run'),
      rng: seededRng(seed),
      signal: ended.signal,
      observer: {
        stage: () => undefined,
        note: () => undefined,
        report: () => laps.push(clock()),
      },
      serve: (port) => {
        clients = Promise.all(launches.map((launch) => launch(inProcessConnect(port), ended.signal)));
        clients.catch(() => {
          ended.abort();
        });
        return Promise.resolve({ close: () => Promise.resolve() });
      },
    });
  } finally {
    await clients;
  }
  const [first = { wall: NaN, processor: NaN }, ...rounds] = laps;
  return { first, rounds };
}

interface BenchSite {
  readonly id: SiteId;
  readonly identity: Identity;
}

function aSite(name: string): BenchSite {
  return { id: SiteId.parse(name), identity: identityFrom(seededRng(seed).fork(name).bytes(32)) };
}

/** Make a site's users and ledger; what comes back runs the site to its end. */
async function prepared(
  { id, identity }: BenchSite,
  { directory, usersPerSite, records, audited }: Federation,
  config: FederationConfig,
): Promise<(connect: Connect, signal: AbortSignal) => Promise<void>> {
  const rng = seededRng(seed).fork(`site ${id}`);
  const shard = madeUpShard(config.model, { users: usersPerSite, records }, rng.fork('data'));
  const policy = SitePolicy.parse({ maxEpsilon: 1000, delta, minNoiseMultiplier: 0.5, minSites: 1 });
  mkdirSync(join(directory, id), { recursive: true });
  const ledger = await openLedger(join(directory, id, 'ledger.sqlite'), { ...policy, generator: rng.kind });
  return async (connect, signal) => {
    try {
      await runClient({
        ...{ name: id, identity, coordinatorKey: coordinator.publicKey, connect },
        site: { shard, policy, ledger, rng },
        audit: AuditUsers.parse({ fraction: audited }),
        trainer: { provider: 'auto', backend: 'auto', workers: 'auto' },
        ...{ observer: silent, signal },
      });
    } finally {
      await ledger.close();
    }
  };
}

/** Time since the last call. */
function lapClock(): () => Times {
  let [wall, processor] = [performance.now(), processorSeconds()];
  return () => {
    const before = { wall, processor };
    [wall, processor] = [performance.now(), processorSeconds()];
    return { wall: (wall - before.wall) / 1000, processor: processor - before.processor };
  };
}
