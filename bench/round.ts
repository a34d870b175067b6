import { join } from 'node:path';
import { type FederationConfig, protectionOf } from '../coordinator/config.ts';
import { createDesk, type Desk } from '../coordinator/desk.ts';
import { openLedgerHeads } from '../coordinator/ledger-heads.ts';
import type { EnrolledSite, RunContext } from '../coordinator/state.ts';
import { openStore } from '../coordinator/store/store.ts';
import { sha256 } from '../shared/crypto/encoding.ts';
import { type Identity, identityFrom } from '../shared/crypto/identity.ts';
import { numParams } from '../shared/model/layout.ts';
import { drawNoise, release } from '../shared/privacy/noise.ts';
import type { SummedUpdate } from '../shared/privacy/update.ts';
import { encodedUpdate } from '../shared/protocol/payloads.ts';
import { type Plan, protocolVersion } from '../shared/protocol/plan.ts';
import { seededRng } from '../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, RoundIndex, Seed, SiteId } from '../shared/units.ts';
import { coordinator, run } from '../test/wire/site.ts';
import { configOf, millionParams } from './federation.ts';

const seed = Seed.parse(9);
/** The round that all uploads of these benchmarks belong to, of the run of `joinSite`. */
export const round = RoundIndex.parse(0);

/** A site that uploads. */
export interface Sender {
  readonly site: SiteId;
  readonly identity: Identity;
}

/** Sites by number; the same in every process. */
export function senders(count: number): readonly Sender[] {
  return Array.from({ length: count }, (_, index) => ({
    site: SiteId.parse(`site-${index}`),
    identity: identityFrom(seededRng(seed).fork(`site ${index}`).bytes(32)),
  }));
}

/** Bytes of a release of one million parameters, all noise, that passes the checks on arrival. */
export function releaseBytes(quick: boolean): Uint8Array {
  const count = numParams(configFor(quick).model);
  const options = { clipNorm: ClipNorm.parse(0.5), noiseMultiplier: NoiseMultiplier.parse(1) };
  const noise = drawNoise(seededRng(seed).fork('noise'), count, options);
  return encodedUpdate(release(new Float64Array(count) as SummedUpdate, noise, options));
}

/** A round that waits for updates: what the coordinator holds when it has published its plan. */
export interface OpenRound {
  readonly desk: Desk;
  readonly plan: Plan;
  readonly context: RunContext;
  close(): Promise<void>;
}

/** A round of these sites behind a real desk and a real store in `directory`. */
export async function openRound(
  sites: readonly Sender[],
  { quick, directory }: { readonly quick: boolean; readonly directory: string },
): Promise<OpenRound> {
  const config = configFor(quick);
  const protection = protectionOf(config);
  const store = await openStore(join(directory, 'run'));
  const desk = createDesk({
    ...{ run, identity: coordinator, rng: seededRng(seed).fork('nonces'), blob: () => undefined },
    sites: new Map(sites.map(({ site, identity }) => [site, identity.publicKey])),
    ledgers: await openLedgerHeads(store),
  });
  const context: RunContext = {
    ...{ run, config, protection, desk, store, identity: coordinator, referenceModels: [] },
    sites: new Map(sites.map(({ site }) => [site, enrolled])),
    rng: seededRng(seed),
    now: () => performance.now(),
    observer: { stage: () => undefined, report: () => undefined, note: () => undefined },
    signal: new AbortController().signal,
  };
  const plan: Plan = {
    ...{ protocolVersion, run, round, rounds: config.rounds, local: config.local, protection },
    model: { spec: config.model, sha256: sha256('a model'), sizeBytes: 1 },
    ...{ minSites: sites.length, answerAfterMs: 0, deadlineMs: 600_000 },
  };
  const close = async (): Promise<void> => {
    desk.close();
    await store.close();
  };
  return { desk, plan, context, close };
}

function configFor(quick: boolean): FederationConfig {
  return configOf({
    ...{ model: millionParams(quick), sites: 1, usersPerSite: 1, records: 1, samplingRate: 0.1 },
    ...{ audited: 0, rounds: 1 },
  });
}

const nobody = new Int32Array(0);
const enrolled: EnrolledSite = {
  declaredUsers: 1000,
  canaries: nobody,
  privacy: 'simulation: not private',
  population: {
    ...{ roles: [], recordOffsets: Int32Array.of(0), labels: nobody },
    ...{ numClasses: 2, subpopulations: [] },
  },
};
