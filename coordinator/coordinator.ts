import { performance } from 'node:perf_hooks';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { type Rng, secureRng } from '../shared/random/rng.ts';
import type { SiteId } from '../shared/units.ts';
import { initialModel, storedModel } from './checkpoint.ts';
import { type FederationConfig, protectionOf } from './config.ts';
import { createDesk, type Desk } from './desk.ts';
import { enrolSites } from './enrol.ts';
import { assertSameRun, freshRunId, manifestOf } from './manifest.ts';
import { type Outcome, runRounds } from './run.ts';
import type { Observer } from './state.ts';
import { openStore, type Store } from './store/store.ts';

/** Everything a coordinator needs; `serve` puts the transport in front of it. */
export interface CoordinatorOptions {
  readonly federation: FederationConfig;
  readonly identity: Identity;
  /** The sites that may take part, by their public keys. */
  readonly sites: ReadonlyMap<SiteId, PublicKey>;
  /** The run directory. */
  readonly directory: string;
  /** Secure, or seeded in scenarios. */
  readonly rng: Rng;
  readonly observer: Observer;
  /** Ends the run after the round in progress was given up; the same call goes on with it later. */
  readonly signal: AbortSignal;
  /** Put a transport in front of the desk; it is closed when the run ends. */
  readonly serve: (desk: Desk) => Promise<{ close(): Promise<void> }>;
}

/**
 * Run a federation to its end, or go on with the run that the directory holds.
 *
 * @throws RUN_MISMATCH when the directory holds a run of another configuration; DIRECTORY_UNWRITABLE; PORT_IN_USE;
 * CALIBRATION_IMPOSSIBLE; and what enrolment and the rounds throw.
 */
export async function runCoordinator(options: CoordinatorOptions): Promise<Outcome> {
  const protection = protectionOf(options.federation);
  const store = await openStore(options.directory);
  try {
    const begun = await store.manifest();
    if (begun) assertSameRun(begun, options.federation, options.directory);
    return await coordinate({ ...options, config: options.federation, protection, store });
  } finally {
    await store.close();
  }
}

type Coordination = CoordinatorOptions & {
  readonly config: FederationConfig;
  readonly protection: ReturnType<typeof protectionOf>;
  readonly store: Store;
};

async function coordinate(options: Coordination): Promise<Outcome> {
  const { config, identity, store } = options;
  const rng = options.rng.fork('coordinator');
  const run = await store.runId(freshRunId(config, rng.fork('run id').bytes(6)));
  const desk = createDesk({
    run,
    identity,
    sites: options.sites,
    rng: secureRng(),
    blob: (hash) => store.model(hash),
  });
  const transport = await options.serve(desk);
  try {
    desk.restoreRefused((await store.reports()).at(-1)?.refused ?? {});
    const sites = await enrolSites({ ...options, run, sites: [...options.sites.keys()], desk });
    const context = { ...options, run, desk, sites, rng, now: () => performance.now() };
    const begun = await store.manifest();
    const model = begun
      ? storedModel(store, begun.initialModelSha256, config.model)
      : initialModel(context, rng);
    if (!begun) await store.saveManifest(manifestOf(context, model));
    return await runRounds(model, context);
  } finally {
    desk.close();
    await transport.close();
  }
}
