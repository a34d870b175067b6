import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ParleyError } from '../shared/errors.ts';
import type { RecordSignals } from '../shared/model/signals.ts';
import { numClasses } from '../shared/model/spec.ts';
import type { Manifest } from '../shared/protocol/manifest.ts';
import { decodedSpec } from '../shared/protocol/payloads.ts';
import { firstReferenceVersion } from '../shared/protocol/plan.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { decodedRoster } from '../shared/protocol/roster.ts';
import { RoundIndex, type SiteId } from '../shared/units.ts';
import type { Evidence } from './audit/evidence.ts';
import { FederationConfig } from './config.ts';
import { enrolledFrom, grouped } from './enrol.ts';
import { evidenceOf } from './observations.ts';
import type { EnrolledSite, Observations } from './state.ts';
import { inspectStore, type Store } from './store/store.ts';
import { restoredObservations, signalsOf } from './stored-signals.ts';

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
 * Read a run directory again, to audit its newest model with other options or to take its scores elsewhere; also while the run
 * goes on. Nothing in it is changed.
 *
 * @throws RUN_NOT_FOUND for a directory that holds no finished round, or a damaged database; DIRECTORY_UNWRITABLE when its
 * database cannot be opened.
 */
export async function openFinishedRun(directory: string): Promise<FinishedRun> {
  if (!existsSync(join(directory, 'coordinator.sqlite'))) throw noRun(directory);
  const store = inspectStore(directory);
  try {
    const manifest = await store.manifest();
    const reports = await store.reports();
    if (manifest === undefined || reports.length === 0) throw noRun(directory);
    const config = FederationConfig.parse(manifest.config['federation']);
    const classes = numClasses(config.model);
    const rosters = [...(await store.rosters())].sort(([a], [b]) => (a < b ? -1 : 1));
    const known = new Set(manifest.sites.map(({ id }) => id));
    const enrolled = rosters
      .filter(([site]) => known.has(site))
      .map(([site, bytes]) => [site, enrolledFrom(decodedRoster(bytes, classes), classes)] as const);
    const sites = grouped(new Map(enrolled), manifest.run);
    const run = { store, sites, config };
    const references = await storedReferences(manifest, run);
    const observations = await restoredObservations(reports.length, references, run);
    const newest = await signalsOf(RoundIndex.parse(reports.length), config.model, run);
    return { manifest, config, reports, sites, evidence: evidenceOf(observations, newest, sites) };
  } finally {
    await store.close();
  }
}

/** Signals under the reference models, as they were stored at the start of the run. */
async function storedReferences(
  { referenceModelSha256s = [] }: Manifest,
  run: { readonly store: Store; readonly sites: FinishedRun['sites'] },
): Promise<Observations['references']> {
  const references: ReadonlyMap<SiteId, RecordSignals>[] = [];
  for (const [index, sha256] of referenceModelSha256s.entries()) {
    const bytes = run.store.model(sha256);
    const version = RoundIndex.parse(firstReferenceVersion + index);
    if (bytes) references.push(await signalsOf(version, decodedSpec(bytes), run));
  }
  return references;
}

function noRun(directory: string): ParleyError {
  return new ParleyError(
    'RUN_NOT_FOUND',
    `${directory} holds no finished round of a run: give the directory that --out named`,
  );
}
