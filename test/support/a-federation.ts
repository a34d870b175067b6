import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hospitals } from '../../scenarios/data/hospitals.ts';
import { cohortCsv, syntheticCohort } from '../../scenarios/data/synthetic-cohort.ts';
import { identityFrom } from '../../shared/crypto/identity.ts';
import { secureRng, seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';
import { freePort } from './processes.ts';

/** Files of a small real federation: three hospitals, one coordinator, all in one temporary folder. */
export interface FederationFiles {
  readonly folder: string;
  readonly coordinator: string;
  /** Run directory of the coordinator. */
  readonly directory: string;
  readonly port: number;
  readonly sites: readonly {
    readonly id: string;
    readonly config: string;
    readonly folder: string;
    readonly ledger: string;
  }[];
}

export const federationSettings = {
  name: 'three-hospitals',
  rounds: 5,
  model: { inputShape: [27], layers: [], output: { type: 'sigmoid' } },
  local: { epochs: 1, batchSize: 'all', learningRate: 0.5 },
  protection: { type: 'user-dp', clipNorm: 0.5, samplingRate: 0.5, delta: 1e-5, noiseMultiplier: 2.5 },
  server: { type: 'fedavg', learningRate: 1 },
  cohort: { minSites: 2 },
  deadlines: { answerAfterMs: 300 },
};

/** All bytes are kept, so that tests can compute every model again from them. */
export const sitePolicy = {
  ...{ maxEpsilon: 30, delta: 1e-5, minNoiseMultiplier: 1, minSites: 2 },
  keepReleases: 'all',
};

/** Overrides of the files, merged at the top level. */
export interface FederationOverrides {
  readonly federation?: Record<string, unknown>;
  readonly policy?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
}

/** Lay out a federation with real keys, policies, ledgers and data files, as its members would. */
export async function aFederation({
  federation = {},
  policy = {},
  client = {},
}: FederationOverrides = {}): Promise<FederationFiles> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-federation-'));
  const port = await freePort();
  const coordinatorKey = identityFrom(secureRng().bytes(32));
  const write = (path: string, value: unknown): string => {
    const file = join(folder, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
    return file;
  };
  const cohort = syntheticCohort({ rng: seededRng(Seed.parse(11)), sites: hospitals(3), usersPerSite: 60 });
  const keys = new Map(cohort.map(({ site }) => [site, identityFrom(secureRng().bytes(32))]));
  const sites = cohort.map((site) => {
    write(`${site.site}/identity.json`, keys.get(site.site));
    write(`${site.site}/policy.yaml`, { ...sitePolicy, ...policy });
    write(`${site.site}/data.csv`, cohortCsv(site));
    const config = write(`${site.site}/client.yaml`, {
      site: site.site,
      coordinator: { url: `ws://127.0.0.1:${port}`, publicKey: coordinatorKey.publicKey },
      identity: 'identity.json',
      data: { file: 'data.csv', schema: resolve('scenarios/catalog/schemas/hospital-cohort.yaml') },
      declaredUsers: 45,
      policy: 'policy.yaml',
      ledger: 'ledger.sqlite',
      audit: { fraction: 0.5, referenceFraction: 0.1 },
      ...client,
    });
    return {
      id: site.site,
      config,
      folder: join(folder, site.site),
      ledger: join(folder, site.site, 'ledger.sqlite'),
    };
  });
  write('identity.json', coordinatorKey);
  const coordinator = write('coordinator.yaml', {
    federation: { ...federationSettings, ...federation },
    listen: { port },
    identity: 'identity.json',
    sites: sites.map(({ id }) => ({ id, publicKey: keys.get(id)?.publicKey })),
    directory: 'run',
  });
  return { folder, coordinator, directory: join(folder, 'run'), port, sites };
}
