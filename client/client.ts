import { performance } from 'node:perf_hooks';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { assertNever, ParleyError } from '../shared/errors.ts';
import type { TrainerChoice } from '../shared/model/trainer.ts';
import { EnrolTask, Farewell, Plan, ScoreTask } from '../shared/protocol/plan.ts';
import { RoundReport } from '../shared/protocol/report.ts';
import { opened } from '../shared/protocol/signed.ts';
import type { Connect } from '../shared/protocol/transport.ts';
import type { RunId, SiteId } from '../shared/units.ts';
import type { AuditUsers } from './audit-roles.ts';
import { modelCache } from './models.ts';
import { type Desk, enrol, score, takePart } from './orders.ts';
import { type Order, openSession } from './session.ts';
import type { SiteBeforeCoins } from './site.ts';
import { fetchBlob } from './transfer.ts';

/** Everything a client needs; `connect` is the transport. */
export interface ClientOptions {
  readonly name: SiteId;
  readonly identity: Identity;
  readonly coordinatorKey: PublicKey;
  readonly run?: RunId;
  readonly connect: Connect;
  readonly site: SiteBeforeCoins;
  readonly audit: AuditUsers;
  readonly declaredUsers?: number | undefined;
  readonly trainer: TrainerChoice;
  readonly observer: ClientObserver;
  /** Ends the client; what it has committed stays committed. */
  readonly signal: AbortSignal;
}

/** What a site's log shows. Never a count, loss or time of training. */
export interface ClientObserver {
  readonly note: (text: string) => void;
  readonly report: (report: RoundReport) => void;
}

/**
 * Be one site of a federation until the coordinator says farewell. Survives lost connections and coordinator restarts; a
 * paused run is waited for.
 *
 * @throws UNKNOWN_KEY, BAD_SIGNATURE, PROTOCOL_MISMATCH, RUN_MISMATCH when this coordinator will never take this site;
 * LEDGER_ROLLBACK when it has seen a newer ledger of this site, or one with another history;
 * WRONG_SHAPE when the run's model does not fit the site's data; CONFIG_INVALID when a real site declares no users;
 * INTERRUPTED when `signal` aborts.
 */
export function runClient(options: ClientOptions): Promise<Farewell> {
  if (options.declaredUsers === undefined && options.site.rng.kind === 'secure')
    throw new ParleyError(
      'CONFIG_INVALID',
      'declaredUsers is missing: declare a public constant near the number of users that may train; the exact number is private',
    );
  return new Promise((resolve, reject) => {
    const client = startClient(options, { resolve, reject });
    const stop = (): void => {
      client.finish(() => {
        reject(
          new ParleyError('INTERRUPTED', 'the client was stopped; start it again to go on with the run'),
        );
      });
    };
    // A signal that aborted while the data were loaded tells nobody any more.
    if (options.signal.aborted) stop();
    else options.signal.addEventListener('abort', stop);
  });
}

interface Ending {
  readonly resolve: (farewell: Farewell) => void;
  readonly reject: (reason: unknown) => void;
}

function startClient(options: ClientOptions, ending: Ending): { finish: (then: () => void) => void } {
  const { name, identity, coordinatorKey, run, connect, observer } = options;
  const now = (): number => performance.now();
  let last: Promise<void> = Promise.resolve();
  let finished = false;
  const finish = (then: () => void): void => {
    if (finished) return;
    finished = true;
    session.close().then(then, ending.reject);
  };
  const fail = (error: unknown): void => {
    finish(() => {
      ending.reject(error);
    });
  };
  const handle = async (order: Order, arrived: Arrived): Promise<void> => {
    if (finished) return;
    try {
      const farewell = await carryOut(order, arrived, { desk, options });
      if (farewell && farewell.outcome !== 'paused')
        finish(() => {
          ending.resolve(farewell);
        });
    } catch (error) {
      // A lost connection or a late answer costs this order, not the run: what still matters is ordered again.
      if (error instanceof ParleyError && passing.has(error.code)) observer.note(error.message);
      else fail(error);
    }
  };
  const session = openSession({
    greeting: { site: name, identity, coordinatorKey, run, ledger: options.site.ledger },
    connect,
    note: observer.note,
    onFatal: fail,
    onOrder: (order, joined) => {
      const arrived = { ms: now(), run: joined };
      last = last.then(() => handle(order, arrived));
    },
  });
  const models = modelCache((blob) => fetchBlob(session, blob), options.trainer, observer.note);
  const desk: Desk = {
    ...options,
    declaredUsers: options.declaredUsers,
    session,
    models,
    now,
    note: observer.note,
  };
  return { finish };
}

const passing: ReadonlySet<string> = new Set([
  'CONNECTION_LOST',
  'STALE_ROUND',
  'UNKNOWN_BLOB',
  'BAD_SIGNATURE',
  'MESSAGE_INVALID',
]);

/** When an order came, and in which run. */
interface Arrived {
  readonly ms: number;
  readonly run: RunId;
}

async function carryOut(
  order: Order,
  { ms, run }: Arrived,
  { desk, options }: { desk: Desk; options: ClientOptions },
): Promise<Farewell | undefined> {
  const key = options.coordinatorKey;
  switch (order.type) {
    case 'enrol':
      await enrol(ofRun(run, opened(key, 'enrol', EnrolTask, order.signed)), desk);
      return undefined;
    case 'plan':
      await takePart(ofRun(run, opened(key, 'plan', Plan, order.signed)), ms, desk);
      return undefined;
    case 'score':
      await score(ofRun(run, opened(key, 'score', ScoreTask, order.signed)), desk);
      return undefined;
    case 'report':
      options.observer.report(opened(key, 'report', RoundReport, order.signed));
      return undefined;
    case 'farewell':
      return opened(key, 'farewell', Farewell, order.signed);
    default:
      return assertNever(order);
  }
}

/** Each run flips audit coins of its own, so whoever may order in any number of runs would have everybody's signals. */
function ofRun<T extends { readonly run: RunId }>(run: RunId, task: T): T {
  if (task.run === run) return task;
  throw new ParleyError(
    'RUN_MISMATCH',
    `the coordinator gave an order for run ${task.run} to a site that it greeted for run ${run}; nothing was done or sent. A site ` +
      'takes part in one run at a time: ask the coordinator, and start this site again for another run',
  );
}
