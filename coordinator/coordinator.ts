import { performance } from 'node:perf_hooks';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import type { Shard } from '../shared/data/shard.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Farewell } from '../shared/protocol/plan.ts';
import { type Rng, secureRng } from '../shared/random/rng.ts';
import type { RunId, SiteId } from '../shared/units.ts';
import { assertCanBeAudited } from './auditable.ts';
import { initialModel, storedMask, storedModel } from './checkpoint.ts';
import { type FederationConfig, protectionOf } from './config.ts';
import { createDesk, type Desk } from './desk.ts';
import { assertSameRecords, distillerOf } from './distil.ts';
import { enrolSites } from './enrol.ts';
import { openLedgerHeads } from './ledger-heads.ts';
import { assertSameRun, freshRunId, manifestOf } from './manifest.ts';
import { isOfMachine, isOwnFault } from './own-fault.ts';
import { underInitialMask } from './pruning.ts';
import { referenceModels } from './reference-models.ts';
import { type Outcome, runRounds } from './run.ts';
import type { Distiller, Observer } from './state.ts';
import { openStore, type Store } from './store/store.ts';

/** Everything a coordinator needs; `serve` puts the transport in front of it. */
export interface CoordinatorOptions {
  readonly federation: FederationConfig;
  readonly identity: Identity;
  /** Bytes of the model files that `audit.referenceModels` names, in that order; none when left out. */
  readonly referenceModels?: readonly Uint8Array[];
  /** Loads records that are nobody's secret, where distillation needs them; there are none when left out. */
  readonly publicShard?: (() => Promise<Shard>) | undefined;
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
 * @throws CONFIG_INVALID when fewer sites are listed than a round needs or than collude, or public records are wanted and missing; RUN_MISMATCH when the directory holds a run of another configuration or
 * with other public records; RUN_NOT_FOUND when its database is damaged; DIRECTORY_UNWRITABLE, also when another coordinator leads it; PORT_IN_USE;
 * CALIBRATION_IMPOSSIBLE; and what enrolment and the rounds throw.
 */
export async function runCoordinator(options: CoordinatorOptions): Promise<Outcome> {
  const protection = protectionOf(options.federation);
  assertEnoughSites(options);
  const distiller = await distillerOf(options.federation, options.publicShard);
  const store = await openStore(options.directory);
  try {
    const begun = await store.manifest();
    if (begun) {
      assertSameRun(begun, options.federation, options.directory);
      assertSameRecords(begun, distiller);
    }
    return await coordinate({ ...options, distiller, config: options.federation, protection, store });
  } finally {
    await store.close();
  }
}

/** How long the farewell has to reach the sites. */
const leaveWithinMs = 3000;

function assertEnoughSites({ sites, federation: { cohort, colludingSites } }: CoordinatorOptions): void {
  if (colludingSites > sites.size)
    throw new ParleyError(
      'CONFIG_INVALID',
      `colludingSites is ${colludingSites} but ${sites.size} site(s) are listed: no more than these can collude; lower colludingSites`,
    );
  if (sites.size < cohort.minSites)
    throw new ParleyError(
      'CONFIG_INVALID',
      `cohort.minSites is ${cohort.minSites} but ${sites.size} site(s) are listed: list the sites, or lower cohort.minSites`,
    );
}

type Coordination = CoordinatorOptions & {
  readonly config: FederationConfig;
  readonly distiller: Distiller | undefined;
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
    ledgers: await openLedgerHeads(store),
    rng: secureRng(),
    blob: (hash) => store.model(hash),
  });
  const transport = await options.serve(desk);
  try {
    const outcome = await enrolAndRun({ ...options, run, desk, rng });
    const { outcome: ending, detail } = outcome;
    desk.announce('farewell', { run, outcome: ending, detail } satisfies Farewell);
    return outcome;
  } catch (error) {
    desk.announce('farewell', { run, ...unfinished(error) } satisfies Farewell);
    throw error;
  } finally {
    // Sites leave when they have heard the farewell; those that wait for a paused run stay.
    await desk.untilEmpty({ deadlineMs: leaveWithinMs });
    desk.close();
    await transport.close();
  }
}

async function enrolAndRun(options: Coordination & { run: RunId; desk: Desk }): Promise<Outcome> {
  const { config, store, desk, rng } = options;
  desk.restoreRefused((await store.reports()).at(-1)?.refused ?? {});
  const sites = await enrolSites({ ...options, sites: [...options.sites.keys()] });
  const begun = await store.manifest();
  const references = referenceModels(options.referenceModels ?? [], begun, options);
  const context = { ...options, sites, referenceModels: references, now: () => performance.now() };
  // A finished round shows that it can be; sites that enrol later do not change that.
  if ((await store.reports()).length === 0) assertCanBeAudited(context);
  const initial = begun
    ? {
        model: storedModel(store, begun.initialModelSha256, config.model),
        mask: storedMask(store, begun.initialMaskSha256, config.model),
      }
    : underInitialMask(initialModel(context, rng), context);
  if (!begun) await store.saveManifest(manifestOf(context, initial.model, initial.mask));
  return runRounds(initial, context);
}

/** A run that can be gone on with is paused, and its sites wait for it. */
function unfinished(error: unknown): Pick<Farewell, 'outcome' | 'detail'> {
  const canGoOn = error instanceof ParleyError && ['INTERRUPTED', 'ROUND_QUORUM_LOST'].includes(error.code);
  const outcome = canGoOn || isOfMachine(error) ? 'paused' : 'failed';
  if (error instanceof ParleyError && !isOwnFault(error)) return { outcome, detail: error.message };
  return { outcome, detail: 'the coordinator has a fault of its own, which its log names' };
}
