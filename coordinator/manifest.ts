import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ParleyError } from '../shared/errors.ts';
import { siloStamp } from '../shared/model/silo/silo-defence.ts';
import { Manifest } from '../shared/protocol/manifest.ts';
import { roleCounts } from './audit/population.ts';
import { ordinaryUsers, populationOfUsers } from './audit/subset.ts';
import type { FederationConfig } from './config.ts';
import { privacyOf } from './report-round.ts';
import type { Model, RunContext, StoredMask } from './state.ts';

/** The manifest of a run that is about to begin. `createdAt` is its only figure that a repetition does not repeat. */
export function manifestOf(run: Omit<RunContext, 'now'>, model: Model, mask?: StoredMask): Manifest {
  const { config, protection, sites } = run;
  return Manifest.parse({
    manifestVersion: 1,
    run: run.run,
    name: config.name,
    description: config.description,
    createdAt: new Date().toISOString(),
    seed: config.seed,
    privacy: privacyOf(run),
    ...(config.local.silo && { stamp: siloStamp }),
    versions: { parley: parleyVersion(), node: process.versions.node },
    config: asJson({ federation: config, protection }),
    sites: [...sites].map(([id, { declaredUsers, population }]) => ({
      id,
      declaredUsers,
      ...roleCounts(populationOfUsers(population, ordinaryUsers(population))),
    })),
    initialModelSha256: model.sha256,
    ...(mask && { initialMaskSha256: mask.sha256 }),
    ...(run.referenceModels.length > 0 && {
      referenceModelSha256s: run.referenceModels.map(({ sha256 }) => sha256),
    }),
    ...(run.distiller && { publicRecords: run.distiller.records }),
    published: config.published,
  });
}

/**
 * A directory goes on with the run that it holds, never with another one.
 *
 * @throws RUN_MISMATCH when the configuration differs from the one that the run began with.
 */
export function assertSameRun(begun: Manifest, config: FederationConfig, directory: string): void {
  if (JSON.stringify(begun.config['federation']) === JSON.stringify(config)) return;
  throw new ParleyError(
    'RUN_MISMATCH',
    `${directory} holds run ${begun.run} with another configuration: name another directory, or restore the configuration ` +
      'that its manifest.json has to go on with it',
  );
}

/** Run id of a fresh run: the name with the scenario's seed, or with random digits. */
export function freshRunId(config: FederationConfig, random: Uint8Array): string {
  return `${config.name}-${config.seed === null ? Buffer.from(random).toString('hex') : `seed-${config.seed}`}`;
}

/** Version of this package, from the nearest package.json above this file (sources and build lie at different depths). */
export function parleyVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  return version;
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
