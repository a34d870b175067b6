import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSimulatedSite, type SimulatedSite } from '../../client/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import { numParams } from '../../shared/model/layout.ts';
import type { Manifest } from '../../shared/protocol/manifest.ts';
import { decodedModel } from '../../shared/protocol/payloads.ts';
import { Protection } from '../../shared/protocol/plan.ts';
import type { Sha256, SiteId } from '../../shared/units.ts';
import { readRun, storedScenario } from '../run-directory.ts';
import type { Scenario } from '../scenario.ts';

/** A simulation that has ended, with all that its sites held: what attackers of every kind could have seen of it. */
export interface FinishedSimulation {
  readonly manifest: Manifest;
  readonly scenario: Scenario;
  readonly protection: Protection;
  /** Finished rounds. */
  readonly rounds: number;
  /** Parameters of model version v, shape (numParams,): 0 is the initial model, v + 1 that of round v. */
  readonly parameters: (version: number) => Float32Array;
  readonly sites: ReadonlyMap<SiteId, SimulatedSite>;
}

/**
 * Open the directory of a finished simulation with its sites.
 *
 * @throws RUN_NOT_FOUND for a directory without a simulation or with a missing model; CONFIG_INVALID where the run
 * pruned, or the sites dropped their releases or trained on all users together; what opening a site throws.
 */
export async function openSimulation(directory: string): Promise<FinishedSimulation> {
  const { manifest, reports } = readRun(directory);
  if (manifest.initialMaskSha256 ?? reports.some(({ pruning }) => pruning))
    throw new ParleyError(
      'CONFIG_INVALID',
      `${directory}: red-team roles read releases of all parameters, and this run pruned; simulate it without federation.pruning`,
    );
  const scenario = storedScenario(directory);
  refuseWholeSites(directory, scenario);
  const hashes = [
    manifest.initialModelSha256,
    ...reports.map(({ modelSha256, iterateSha256 }) => iterateSha256 ?? modelSha256),
  ];
  const sites = await Promise.all(
    manifest.sites.map(async ({ id }) => {
      const config = join(directory, 'sites', id, 'client.yaml');
      return [id, await openSimulatedSite(config, manifest.run).catch(releasesDropped(config))] as const;
    }),
  );
  return {
    manifest,
    scenario,
    protection: Protection.parse(manifest.config['protection']),
    rounds: reports.length,
    parameters: (version) => storedParameters(directory, hashes[version], scenario),
    sites: new Map(sites),
  };
}

/** Where a site has one update for all, no user's own can be rebuilt and looked for. */
function refuseWholeSites(directory: string, { federation: { local } }: Scenario): void {
  if (local.silo === undefined) return;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${directory}: its sites trained on all of their users together (${local.silo.type}), and red-team roles look for each user's own update; ` +
      'audit this run without them',
  );
}

/** The site did right to drop them; the run was not made for this. */
function releasesDropped(config: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ParleyError) || error.code !== 'STALE_ROUND') throw error;
    throw new ParleyError(
      'CONFIG_INVALID',
      `${config}: this site kept no releases of rounds that were confirmed, and red-team roles read them; put ` +
        '`keepReleases: all` into `sites.policy` of the scenario and simulate again, which gives the same models',
      { cause: error },
    );
  };
}

function storedParameters(directory: string, hash: Sha256 | undefined, scenario: Scenario): Float32Array {
  const file = join(directory, 'models', `${hash ?? 'none'}.safetensors`);
  try {
    return decodedModel(new Uint8Array(readFileSync(file)), numParams(scenario.federation.model));
  } catch (cause) {
    throw new ParleyError('RUN_NOT_FOUND', `${file} cannot be read: restore it from a copy of the run`, {
      cause,
    });
  }
}
