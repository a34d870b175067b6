import { sha256 } from '../shared/crypto/encoding.ts';
import { publicRng } from '../shared/data/places.ts';
import { ParleyError } from '../shared/errors.ts';
import { numClasses } from '../shared/model/spec.ts';
import type { EnrolTask } from '../shared/protocol/plan.ts';
import { decodedRoster, type Roster } from '../shared/protocol/roster.ts';
import { RoundIndex, type RunId, type SiteId } from '../shared/units.ts';
import { withNeighbourhoods } from './audit/neighbourhoods.ts';
import { populationOf } from './audit/population.ts';
import type { FederationConfig } from './config.ts';
import type { Desk } from './desk.ts';
import type { EnrolledSite, Observer } from './state.ts';
import type { Store } from './store/store.ts';

/** A roster at most: twelve bytes a record and user for five million of each. */
const maxRosterBytes = 128 * 1024 * 1024;

interface Enrolment {
  readonly run: RunId;
  readonly config: FederationConfig;
  readonly sites: readonly SiteId[];
  readonly desk: Desk;
  readonly store: Store;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/**
 * Wait until the known sites are connected and have sent their rosters of audit users, or until the deadline when enough
 * have. Rosters are stored: a restarted coordinator waits for the sites, not for their coins, which are flipped once a run.
 * The result is sorted by site.
 *
 * @throws ROUND_QUORUM_LOST when fewer sites than `cohort.minSites` have enrolled at the deadline; INTERRUPTED.
 */
export async function enrolSites(enrolment: Enrolment): Promise<ReadonlyMap<SiteId, EnrolledSite>> {
  const { config, desk, sites, store, observer, signal } = enrolment;
  const deadlineMs = config.deadlines.enrolMs;
  const enrolled = await collectRosters(enrolment);
  await desk.untilConnected([...enrolled.keys()], { deadlineMs, signal });
  if (signal.aborted)
    throw new ParleyError(
      'INTERRUPTED',
      'interrupted while the sites enrolled; start the same command again',
    );
  const present = desk.connected().filter((site) => enrolled.has(site));
  if (present.length < config.cohort.minSites) {
    // With the manifest the configuration is the run's for good.
    const lower = (await store.manifest()) ? 'begin a new run with a lower' : 'lower';
    throw new ParleyError(
      'ROUND_QUORUM_LOST',
      `${present.length} of ${sites.length} sites enrolled within ${deadlineMs} ms, ${config.cohort.minSites} are needed: ` +
        `start the missing clients, or ${lower} cohort.minSites`,
    );
  }
  for (const site of sites)
    if (!enrolled.has(site)) observer.note(`site ${site} did not enrol and takes no part in this run`);
  return grouped(new Map([...enrolled].sort(([a], [b]) => (a < b ? -1 : 1))), enrolment.run);
}

/** Neighbourhoods are fixed here, before there is any score; a restart finds the same ones from the same rosters. */
export function grouped(
  enrolled: ReadonlyMap<SiteId, EnrolledSite>,
  run: RunId,
): ReadonlyMap<SiteId, EnrolledSite> {
  const populations = new Map([...enrolled].map(([site, { population }]) => [site, population]));
  const named = withNeighbourhoods(populations, publicRng(run, 'neighbourhoods'));
  return new Map(
    [...enrolled].map(([site, own]) => [site, { ...own, population: named.get(site) ?? own.population }]),
  );
}

async function collectRosters(enrolment: Enrolment): Promise<ReadonlyMap<SiteId, EnrolledSite>> {
  const { config, desk, sites, store, observer, signal } = enrolment;
  const classes = numClasses(config.model);
  const decoded = (bytes: Uint8Array): EnrolledSite => enrolledFrom(decodedRoster(bytes, classes), classes);
  const collection = desk.expect({
    stage: 'roster',
    round: RoundIndex.parse(0),
    sites,
    order: { purpose: 'enrol', value: taskOf(enrolment) },
    sizeBytes: () => ({ min: 1, max: maxRosterBytes }),
    accept: async (site, bytes) => {
      const roster = decoded(bytes);
      await store.saveRoster(site, bytes);
      return () => roster;
    },
  });
  try {
    for (const [site, bytes] of await store.rosters()) collection.seed(site, decoded(bytes), sha256(bytes));
    const progress = (done: number, total: number): void => {
      observer.stage(0, 'sites enrolled', done, total);
    };
    await collection.settled({ deadlineMs: config.deadlines.enrolMs, signal, progress });
    return new Map(collection.answers);
  } finally {
    collection.close();
  }
}

function taskOf({ run, config }: Enrolment): EnrolTask {
  const numFeatures = config.model.inputShape.reduce((product, size) => product * size, 1);
  return { run, numFeatures, numClasses: numClasses(config.model) };
}

/** A site as its roster declares it, for a model with `classes` classes. */
export function enrolledFrom(roster: Roster, classes: number): EnrolledSite {
  return {
    declaredUsers: roster.declaredUsers,
    privacy: roster.privacy,
    population: populationOf(roster, classes),
    canaries: roster.canaries,
  };
}
