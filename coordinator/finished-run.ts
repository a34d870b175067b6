import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ParleyError } from '../shared/errors.ts';
import { numClasses } from '../shared/model/spec.ts';
import type { Manifest } from '../shared/protocol/manifest.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { decodedRoster } from '../shared/protocol/roster.ts';
import type { SiteId } from '../shared/units.ts';
import type { Evidence } from './audit/evidence.ts';
import { FederationConfig } from './config.ts';
import { enrolledFrom } from './enrol.ts';
import { evidenceOf } from './observations.ts';
import { restoredObservations, signalsOf } from './run.ts';
import type { EnrolledSite } from './state.ts';
import { openStore } from './store/store.ts';

/** A run that has ended, or paused, as its directory holds it: all that its audits were made of. */
export interface FinishedRun {
  readonly manifest: Manifest;
  readonly config: FederationConfig;
  readonly reports: readonly RoundReport[];
  readonly sites: ReadonlyMap<SiteId, EnrolledSite>;
  /** What the attacks of the newest round were made on. */
  readonly evidence: Evidence;
}

/**
 * Read a run directory again, to audit its newest model with other options or to take its scores elsewhere.
 *
 * @throws RUN_NOT_FOUND for a directory that holds no finished round; DIRECTORY_UNWRITABLE when its database cannot be opened.
 */
export async function openFinishedRun(directory: string): Promise<FinishedRun> {
  if (!existsSync(join(directory, 'coordinator.sqlite'))) throw noRun(directory);
  const store = await openStore(directory);
  try {
    const manifest = await store.manifest();
    const reports = await store.reports();
    if (manifest === undefined || reports.length === 0) throw noRun(directory);
    const config = FederationConfig.parse(manifest.config['federation']);
    const classes = numClasses(config.model);
    const rosters = [...(await store.rosters())].sort(([a], [b]) => (a < b ? -1 : 1));
    const known = new Set(manifest.sites.map(({ id }) => id));
    const sites = new Map(
      rosters
        .filter(([site]) => known.has(site))
        .map(([site, bytes]) => [site, enrolledFrom(decodedRoster(bytes, classes), classes)] as const),
    );
    const observations = await restoredObservations(reports, { store, sites });
    const newest = await signalsOf(reports.length, { store, sites });
    return { manifest, config, reports, sites, evidence: evidenceOf(observations, newest, sites) };
  } finally {
    await store.close();
  }
}

function noRun(directory: string): ParleyError {
  return new ParleyError(
    'RUN_NOT_FOUND',
    `${directory} holds no finished round of a run: give the directory that --out named`,
  );
}
