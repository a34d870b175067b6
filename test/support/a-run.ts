import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { launchClient, loadShard, readDataSchema } from '../../client/index.ts';
import { FederationConfig } from '../../coordinator/config.ts';
import { type CoordinatorOptions, runCoordinator } from '../../coordinator/coordinator.ts';
import type { Outcome } from '../../coordinator/run.ts';
import { type Identity, identityFrom } from '../../shared/crypto/identity.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { inProcessConnect } from '../../shared/protocol/in-process.ts';
import { Notice } from '../../shared/protocol/messages.ts';
import { Farewell } from '../../shared/protocol/plan.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import type { Connect } from '../../shared/protocol/transport.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed, SiteId } from '../../shared/units.ts';
import { temporaryFolder } from './temporary.ts';

const seed = Seed.parse(5);
export const coordinatorIdentity = identityFrom(new Uint8Array(32).fill(9));

/** A site's folder with configuration, key, policy, data and schema. */
export interface SiteFiles {
  readonly id: SiteId;
  readonly identity: Identity;
  readonly config: string;
  readonly ledger: string;
}

export interface SiteChange {
  readonly policy?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
  /** Of the data; 24 when left out. */
  readonly users?: number;
}

/** Lay out a site whose users have one or two records of two features; the same folder and name give the same data. */
export function siteFiles(folder: string, name: string, change: SiteChange = {}): SiteFiles {
  const id = SiteId.parse(name);
  const here = join(folder, 'sites', name);
  mkdirSync(here, { recursive: true });
  const write = (file: string, value: unknown): string => {
    const path = join(here, file);
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
    return path;
  };
  const identity = identityFrom(seededRng(seed).fork(name).bytes(32));
  write('identity.json', identity);
  write('data.csv', tableOf(name, change.users ?? 24));
  const limits = { maxEpsilon: 50, delta: 1e-5, minNoiseMultiplier: 0.5 };
  write('policy.yaml', { ...limits, keepReleases: 'all', ...change.policy });
  const feature = { type: 'numeric', min: -1, max: 1 };
  write('schema.yaml', {
    user: { column: 'patient' },
    label: { type: 'binary', column: 'ill', positive: ['yes'], negative: ['no'] },
    features: ['a', 'b'].map((column) => ({ ...feature, column })),
  });
  const config = write('client.yaml', {
    site: id,
    coordinator: { url: 'wss://in-process', publicKey: coordinatorIdentity.publicKey },
    identity: 'identity.json',
    data: { file: 'data.csv', schema: 'schema.yaml' },
    policy: 'policy.yaml',
    ledger: 'state/ledger.sqlite',
    audit: { fraction: 0.6, referenceFraction: 0.1 },
    seed,
    ...change.client,
  });
  return { id, identity, config, ledger: join(here, 'state', 'ledger.sqlite') };
}

function tableOf(name: string, users: number): string {
  const rng = seededRng(seed).fork(`data of ${name}`);
  const row = (user: number): string => {
    const [a, b] = [2 * rng.uniform() - 1, 2 * rng.uniform() - 1];
    return `${name}-${user},${a},${b},${a + 0.5 * b > 0 ? 'yes' : 'no'}\n`;
  };
  const rows = Array.from({ length: users }, (_, user) => row(user) + (user % 2 === 0 ? row(user) : ''));
  return `patient,a,b,ill\n${rows.join('')}`;
}

/** Records of a site that has no part in any run. */
export async function publicShard(users = 24): Promise<Shard> {
  const folder = dirname(siteFiles(temporaryFolder(), 'library', { users }).config);
  const schema = await readDataSchema(join(folder, 'schema.yaml'));
  return loadShard({ file: join(folder, 'data.csv'), schema });
}

/** A federation of logistic models over three rounds, with something changed. */
export function aFederationConfig(change: Record<string, unknown> = {}): FederationConfig {
  return FederationConfig.parse({
    name: 'tiny',
    rounds: 3,
    model: { inputShape: [2], output: { type: 'sigmoid' } },
    local: { epochs: 1, batchSize: 'all', learningRate: 0.5 },
    protection: { type: 'user-dp', clipNorm: 0.5, samplingRate: 0.5, delta: 1e-5, noiseMultiplier: 2.5 },
    server: { type: 'fedadam', learningRate: 0.05 },
    seed,
    ...change,
  });
}

export interface TinyRun {
  /** The run directory. */
  readonly directory: string;
  readonly sites: readonly SiteFiles[];
  readonly federation?: FederationConfig;
  readonly referenceModels?: readonly Uint8Array[];
  readonly publicShard?: CoordinatorOptions['publicShard'];
  /** Which sites are started; all when left out. */
  readonly started?: readonly SiteFiles[];
  /** Stands between a site and its connection. */
  readonly between?: (site: SiteFiles, connect: Connect) => Connect;
  readonly onStage?: (round: number, stage: string, done: number) => void;
  readonly onReport?: (report: RoundReport) => void;
  readonly onNote?: (text: string) => void;
  readonly abort?: AbortController;
}

/** A run of two sites in a fresh folder, with something changed in the federation or at both sites. */
export function aTinyRun(change: Record<string, unknown>, site: SiteChange = {}): TinyRun {
  const folder = temporaryFolder();
  return {
    directory: join(folder, 'run'),
    sites: ['east', 'north'].map((name) => siteFiles(folder, name, site)),
    federation: aFederationConfig(change),
  };
}

export interface TinyOutcome extends Outcome {
  readonly reports: readonly RoundReport[];
  readonly notes: readonly string[];
}

/** Run a federation in this process: the real coordinator, the real clients and their files, no sockets. */
export async function runTiny(run: TinyRun): Promise<TinyOutcome> {
  const { directory, sites, federation = aFederationConfig(), started = sites } = run;
  const abort = run.abort ?? new AbortController();
  const leave = new AbortController();
  const [reports, notes]: [RoundReport[], string[]] = [[], []];
  let clients: Promise<unknown> = Promise.resolve();
  try {
    const outcome = await runCoordinator({
      federation,
      ...(run.referenceModels && { referenceModels: run.referenceModels }),
      publicShard: run.publicShard,
      identity: coordinatorIdentity,
      sites: new Map(sites.map(({ id, identity }) => [id, identity.publicKey])),
      directory,
      rng: seededRng(seed),
      signal: abort.signal,
      observer: {
        stage: (round, stage, done) => run.onStage?.(round, stage, done),
        report: (report) => {
          reports.push(report);
          run.onReport?.(report);
        },
        note: (text) => {
          notes.push(text);
          run.onNote?.(text);
        },
      },
      serve: (port) => {
        const signal = AbortSignal.any([abort.signal, leave.signal]);
        const launch = (site: SiteFiles): Promise<unknown> => {
          const connect = leavingWhenPaused(inProcessConnect(port), leave);
          const connected = run.between?.(site, connect) ?? connect;
          return launchClient(site.config, { connect: connected, observer: silent, signal });
        };
        clients = Promise.allSettled(started.map(launch));
        return Promise.resolve({ close: () => Promise.resolve() });
      },
    });
    return { ...outcome, reports, notes };
  } finally {
    leave.abort();
    await clients;
  }
}

const silent = { note: (): void => undefined, report: (): void => undefined };

/** A site of a paused run waits for its coordinator to come back; in a test none will. */
function leavingWhenPaused(connect: Connect, leave: AbortController): Connect {
  return (port) =>
    connect({
      ...port,
      notice: (message) => {
        const notice = Notice.parse(message);
        const paused =
          notice.type === 'farewell' && Farewell.parse(JSON.parse(notice.signed.body)).outcome === 'paused';
        if (paused) leave.abort();
        port.notice(message);
      },
    });
}
