import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { federationPages, loadConfig } from '../shared/config.ts';
import { assertNever } from '../shared/errors.ts';
import { roundsWithin } from '../shared/privacy/accounting/calibrate.ts';
import type { LedgerEntry, MechanismEvent } from '../shared/privacy/accounting/event.ts';
import type { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import type { Delta, Epsilon, RunId } from '../shared/units.ts';
import { type BudgetState, budgetStates } from './budget.ts';
import { ClientConfig } from './config.ts';
import { inspectLedger, type LedgerView } from './ledger.ts';
import type { LedgerRecord } from './ledger-chain.ts';
import { generatorOf } from './ledger-generator.ts';
import { type ReleaseCounts, releaseCounts } from './ledger-store.ts';
import { SitePolicy } from './policy.ts';
import { type UserSpending, userSpending } from './user-spending.ts';

/** What `parley ledger` found. */
export interface LedgerSummary {
  readonly ledger: string;
  readonly position: LedgerPosition;
  /** What its releases are; not known of a ledger of before that no client has opened since. */
  readonly privacy: 'private' | 'simulation: not private' | 'not stamped';
  readonly releases: ReleaseCounts;
  readonly runs: readonly RunSummary[];
  /** Different events with their numbers. */
  readonly events: readonly LedgerEntry[];
  readonly delta: Delta;
  readonly budget: readonly BudgetSummary[];
  readonly users: UserSpending;
}

interface RunSummary {
  readonly run: RunId;
  readonly releases: number;
  /** Time of the newest one. */
  readonly newest: string;
}

interface BudgetSummary extends Omit<BudgetState, 'entries'> {
  /** Releases like the newest one that still fit this limit. */
  readonly moreLikeNewest: number | undefined;
}

/** The same as JSON (which has no infinity) and as lines for people. */
export interface LedgerAnswer {
  readonly json: unknown;
  readonly lines: readonly string[];
}

/**
 * `parley ledger verify|show`: check a site's ledger from end to end, also while its client runs, and say what it holds,
 * what is spent and what is left. Everything of the site's own users; not for anybody outside.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID, LEDGER_CORRUPT, LEDGER_ROLLBACK, EVENT_UNSUPPORTED.
 */
export async function ledgerCommand(configFile: string, what: 'verify' | 'show'): Promise<LedgerAnswer> {
  const readText = (path: string): string => readFileSync(path, 'utf8');
  const config = loadConfig(configFile, ClientConfig, readText, federationPages);
  const at = (path: string): string => resolve(dirname(configFile), path);
  const policy = loadConfig(at(config.policy), SitePolicy, readText, federationPages);
  const summary = await inspectLedger(at(config.ledger), async (view, db) => ({
    ledger: at(config.ledger),
    position: view.position(),
    privacy: stamps[(await generatorOf(db, at(config.ledger))) ?? 'unknown'],
    releases: await releaseCounts(db, view.records()),
    ...summaryOf(view, policy),
    users: await userSpending(view, policy.delta),
  }));
  const lines =
    what === 'verify' ? verifiedLines(summary) : [...verifiedLines(summary), ...shownLines(summary)];
  return { json: withoutInfinity(summary), lines };
}

const stamps = {
  secure: 'private',
  seeded: 'simulation: not private',
  unknown: 'not stamped',
} as const;

function summaryOf(
  view: LedgerView,
  policy: SitePolicy,
): Pick<LedgerSummary, 'runs' | 'events' | 'delta' | 'budget'> {
  const records = view.records();
  const newest = records.at(-1)?.event;
  return {
    runs: runsOf(records),
    events: distinct(view.entries()),
    delta: policy.delta,
    budget: budgetStates(view, policy).map(({ entries, ...state }) => ({
      ...state,
      moreLikeNewest: newest && more({ ...state, entries }, newest, policy.delta),
    })),
  };
}

function more({ entries, limit }: BudgetState, event: MechanismEvent, delta: Delta): number | undefined {
  // What another round of correlated noise costs depends on which one it is.
  if (event.type === 'banded-matrix' || event.type === 'banded-matrix-step') return undefined;
  return roundsWithin({ epsilon: limit, delta, entries, event });
}

function runsOf(records: readonly LedgerRecord[]): readonly RunSummary[] {
  const runs = new Map<RunId, RunSummary>();
  for (const { run, timeMs } of records) {
    const releases = (runs.get(run)?.releases ?? 0) + 1;
    runs.set(run, { run, releases, newest: new Date(timeMs).toISOString() });
  }
  return [...runs.values()];
}

function distinct(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const counts = new Map<string, LedgerEntry>();
  for (const { event, count } of entries) {
    const key = JSON.stringify(event);
    counts.set(key, { event, count: count + (counts.get(key)?.count ?? 0) });
  }
  return [...counts.values()];
}

function verifiedLines({ ledger, position, privacy, releases }: LedgerSummary): readonly string[] {
  const { kept, settled, lost } = releases;
  return [
    `ledger ${ledger}: sound, ${position.length} entries, head ${position.head}`,
    ...(privacy === 'private' ? [] : [stampLine(privacy)]),
    `release bytes: ${kept} kept, ${settled} settled and dropped, ${lost} lost` +
      (lost > 0 ? ' (their rounds are forfeited)' : ''),
  ];
}

function stampLine(privacy: 'simulation: not private' | 'not stamped'): string {
  return privacy === 'not stamped'
    ? 'not stamped: an earlier version made it, and it becomes real or simulated with the client that opens it next'
    : `${privacy} (seeded randomness): epsilon is what the same releases would cost a real site`;
}

function shownLines({ runs, events, budget, users, delta }: LedgerSummary): readonly string[] {
  return [
    ...runs.map(({ run, releases, newest }) => `run ${run}: ${releases} releases, the newest at ${newest}`),
    ...events.map(({ event, count }) => `${count} x ${eventText(event)}`),
    ...budget.map((state) => budgetLine(state, delta)),
    ...userLines(users),
  ];
}

function budgetLine({ span, limit, spent, left, moreLikeNewest }: BudgetSummary, delta: Delta): string {
  const fits = moreLikeNewest === undefined ? '' : `; ${moreLikeNewest} more releases like the newest fit`;
  return `epsilon ${span} at delta ${delta}: ${epsilonText(spent)} spent of ${limit}, ${(Math.floor(left * 1000) / 1000).toFixed(3)} left${fits}`;
}

const shownGroups = 20;

function userLines({ wholeSite, unlistedReleases, groups }: UserSpending): readonly string[] {
  const unlisted = unlistedReleases > 0 ? `, ${unlistedReleases} releases count for everybody` : '';
  const hidden = groups.length - shownGroups;
  return [
    `users (one, with all records at this site, added or removed): epsilon at most ${epsilonText(wholeSite)} for anybody${unlisted}`,
    ...groups
      .slice(0, shownGroups)
      .map(
        ({ numUsers, epsilon, releases, leastWeight }) =>
          `  ${numUsers} users: epsilon ${epsilonText(epsilon)}, ${releases} releases, least weight ${leastWeight}`,
      ),
    ...(hidden > 0 ? [`  and ${hidden} groups that spent less (--json has all)`] : []),
  ];
}

/** The event's kind and its figures. */
function eventText(event: MechanismEvent): string {
  switch (event.type) {
    case 'composition':
      return `(${event.events.map(eventText).join(' and ')})`;
    case 'repetition':
      return `(${event.count} x ${eventText(event.event)})`;
    case 'banded-matrix':
    case 'banded-matrix-step':
      return `${event.type} z=${event.noiseMultiplier} (${event.matrix.coefficients.length} bands, ${event.matrix.rounds} rounds)`;
    case 'gaussian':
      return `gaussian z=${event.noiseMultiplier}`;
    case 'poisson-subsampled-gaussian':
      return `poisson-subsampled-gaussian z=${event.noiseMultiplier} q=${event.samplingRate}`;
    case 'adaptive-clipping':
      return `adaptive-clipping z=${event.updateNoiseMultiplier} and ${event.quantileNoiseMultiplier} q=${event.samplingRate}`;
    case 'non-private':
      return 'without noise';
    default:
      return assertNever(event);
  }
}

/** Three decimals, rounded up: an upper bound is never shown smaller. */
function epsilonText(epsilon: Epsilon): string {
  return epsilon === Infinity ? 'infinite' : (Math.ceil(epsilon * 1000) / 1000).toFixed(3);
}

function withoutInfinity(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part: unknown) => (part === Infinity ? 'infinite' : part)));
}
