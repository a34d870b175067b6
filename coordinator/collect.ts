import { ParleyError } from '../shared/errors.ts';
import { numParams } from '../shared/model/layout.ts';
import type { ParameterMask } from '../shared/model/mask.ts';
import type { Signals } from '../shared/model/signals.ts';
import { decodedSignals, type SignalsShape, signalsBytes, updateBytes } from '../shared/protocol/payloads.ts';
import {
  firstReferenceVersion,
  firstUnprunedVersion,
  type Plan,
  releaseShape,
  type ScoreTask,
} from '../shared/protocol/plan.ts';
import type { SiteId } from '../shared/units.ts';
import { addUpdate } from './aggregate/mean.ts';
import { arrivedUpdate } from './arrival.ts';
import type { Collection } from './desk.ts';
import type { Participation, RunContext } from './state.ts';
import { signalsShape } from './stored-signals.ts';

/** What a round's sites sent, noised and in grid units, and who answered. */
export interface Answers {
  /** Of all updates, shape (numCoordinates,). */
  readonly sum: Float64Array;
  /** The updates of sites that have canaries, which are looked at one by one; of the others nothing but the sum is kept. */
  readonly withCanaries: ReadonlyMap<SiteId, Int32Array>;
  readonly participation: Participation;
  /** What was wrong with releases that were not refused: only where the configuration notes instead. */
  readonly noted: readonly string[];
}

/**
 * Publish a plan and wait for the cohort. At the deadline the round goes on without the missing sites if enough answered;
 * else it is repeated (the same plan again; sites resend the same bytes, so nothing is spent twice) or the run ends. `mask` is the
 * plan's.
 */
export async function collectUpdates(
  plan: Plan,
  cohort: readonly SiteId[],
  run: RunContext,
  mask?: ParameterMask,
): Promise<Answers> {
  const { numCoordinates } = releaseShape(plan.protection, mask?.kept ?? numParams(plan.model.spec));
  const size = updateBytes(numCoordinates);
  const noted = new Map<SiteId, string>();
  const sum = new Float64Array(numCoordinates);
  const withCanaries = new Map<SiteId, Int32Array>();
  const collection = run.desk.expect({
    stage: 'update',
    round: plan.round,
    sites: cohort,
    order: { purpose: 'plan', value: plan },
    sizeBytes: () => ({ min: size, max: size }),
    accept: (site, bytes) => {
      const { declaredUsers = 0, canaries } = run.sites.get(site) ?? {};
      const numCanaries = canaries?.length ?? 0;
      const note = (detail: string): unknown => noted.set(site, `${site}: ${detail}`);
      const update = arrivedUpdate(plan, bytes, {
        mask,
        users: declaredUsers + numCanaries,
        note: run.config.arrivalChecks === 'note' ? note : undefined,
      });
      return () => {
        addUpdate(sum, update);
        if (numCanaries > 0) withCanaries.set(site, update);
        return true as const;
      };
    },
  });
  try {
    await enoughAnswers(plan, collection, run);
    return {
      sum,
      withCanaries: sorted(withCanaries),
      participation: participation(cohort, collection),
      noted: [...sorted(noted).values()],
    };
  } finally {
    collection.close();
  }
}

async function enoughAnswers(plan: Plan, collection: Collection<true>, run: RunContext): Promise<void> {
  const { belowMinimum, maxRepeats } = run.config.cohort;
  const allowed = belowMinimum === 'repeat' ? maxRepeats : 0;
  for (let repeat = 0; ; repeat++) {
    await settled(collection, plan.deadlineMs, { run, round: plan.round, stage: 'sites answered' });
    const answered = collection.answers.size;
    if (answered >= plan.minSites) return;
    const reasons = [...collection.declined].map(
      ([site, { code, detail }]) => `${site} declined (${code}: ${detail})`,
    );
    if (repeat >= allowed || collection.pending().length === 0)
      throw new ParleyError(
        'ROUND_QUORUM_LOST',
        `round ${plan.round}: ${answered} site(s) answered, ${plan.minSites} are needed` +
          `${reasons.length > 0 ? `; ${reasons.join('; ')}` : ''}. Start the same command again when the sites are back, or begin a new run with a lower cohort.minSites`,
      );
    run.observer.note(
      `round ${plan.round}: ${answered} of ${plan.minSites} answers at the deadline; repeating the round`,
    );
  }
}

/** Ask every site that is present to score its audit users; a site that does not is left out of this round's audit. */
export async function collectSignals(
  task: ScoreTask,
  run: RunContext,
): Promise<ReadonlyMap<SiteId, Signals>> {
  const sites = run.desk.connected().filter((site) => run.sites.has(site));
  const shape = (site: SiteId): SignalsShape => signalsShape(site, task.model.spec, run);
  const size = (site: SiteId): number => signalsBytes(shape(site));
  const collection = run.desk.expect({
    stage: 'signals',
    round: task.version,
    sites,
    order: { purpose: 'score', value: task },
    sizeBytes: (site) => ({ min: size(site), max: size(site) }),
    accept: async (site, bytes) => {
      const signals = decodedSignals(bytes, shape(site));
      await run.store.saveSignals(task.version, site, bytes);
      return () => signals;
    },
  });
  try {
    const stage = { run, round: scoredRound(task.version), stage: 'sites scored' };
    await settled(collection, run.config.deadlines.scoreMs, stage);
    if (collection.answers.size > 0) return sorted(collection.answers);
    throw new ParleyError(
      'ROUND_QUORUM_LOST',
      `no site scored model version ${task.version} within ${run.config.deadlines.scoreMs} ms; a round without an audit is not counted`,
    );
  } finally {
    collection.close();
  }
}

/** The round whose model a version is; 0 for the initial and the reference models. */
function scoredRound(version: number): number {
  if (version >= firstUnprunedVersion) return version - firstUnprunedVersion - 1;
  return version >= firstReferenceVersion ? 0 : Math.max(0, version - 1);
}

interface StageOf {
  readonly run: RunContext;
  readonly round: number;
  readonly stage: string;
}

async function settled<T>(collection: Collection<T>, deadlineMs: number, stage: StageOf): Promise<void> {
  const { observer, signal } = stage.run;
  await collection.settled({
    deadlineMs,
    signal,
    progress: (done, total) => {
      observer.stage(stage.round, stage.stage, done, total);
    },
  });
  if (signal.aborted)
    throw new ParleyError(
      'INTERRUPTED',
      `round ${stage.round} was interrupted; start the same command again to go on with it`,
    );
}

function participation(cohort: readonly SiteId[], collection: Collection<true>): Participation {
  const { answers, declined } = collection;
  return {
    asked: [...cohort],
    answered: cohort.filter((site) => answers.has(site)),
    declined: cohort.flatMap((site) => {
      const reason = declined.get(site);
      return reason ? [{ site, code: reason.code, detail: reason.detail }] : [];
    }),
    missing: collection.pending().toSorted(),
  };
}

function sorted<T>(answers: ReadonlyMap<SiteId, T>): ReadonlyMap<SiteId, T> {
  return new Map([...answers].sort(([a], [b]) => (a < b ? -1 : 1)));
}
