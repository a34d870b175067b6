import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { loadConfig, loadFile } from '../../shared/config.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { Seed, Sha256 } from '../../shared/units.ts';
import { Scenario } from '../scenario.ts';
import { type Cell, cellsOf } from './cells.ts';
import { type LoadedGrid, nameOfFile } from './grid.ts';
import { merged } from './merge.ts';

/**
 * One run of one cell, complete but for the data sets: it can go to another machine. `scenario` names its data schema and its
 * reference models as they stand in `files` (name to base64).
 */
export const Job = z.strictObject({
  /** Readable, and unique in its grid: the name of the job's folder. */
  id: z.string().regex(/^\w[\w.+-]{0,119}$/),
  /** The cell's name. */
  cell: z.string(),
  seed: Seed,
  /** Of everything that the result depends on. */
  hash: Sha256,
  scenario: Scenario,
  files: z.record(z.string().regex(/^[\w-]+\.[a-z]+$/), z.base64()),
});
export type Job = z.infer<typeof Job>;

/** The cells of a grid, and their runs in the order in which they are begun. */
export interface Sweep {
  readonly grid: LoadedGrid;
  readonly cells: readonly Cell[];
  readonly jobs: readonly Job[];
}

/**
 * The cells and jobs of a grid, with the files that they read. `version` is this program's: another one runs everything anew.
 *
 * @throws FILE_NOT_FOUND for a scenario or a file it names; CONFIG_INVALID as {@link cellsOf}.
 */
export function sweepOf(grid: LoadedGrid, version: string): Sweep {
  const bases = grid.scenarios.map(({ file, set }) => ({
    file,
    name: nameOfFile(file),
    content: merged(
      loadConfig(file, z.unknown(), (path) => readFileSync(path, 'utf8'), 'docs/scenarios.md'),
      set,
    ),
  }));
  const cells = cellsOf(grid, bases);
  const folders = new Map(bases.map(({ name, file }) => [name, dirname(file)]));
  const jobs = cells.flatMap((cell) => {
    const { scenario, files } = portable(cell.scenario, folders.get(cell.base) ?? '.');
    return (grid.seeds ?? scenario.seeds).map((seed): Job => {
      const content = { scenario: { ...scenario, seeds: [seed] }, files };
      const hash = sha256(JSON.stringify({ version, ...content }));
      return { id: `${cell.folder}_seed-${seed}`, cell: cell.name, seed, hash, ...content };
    });
  });
  return { grid, cells, jobs };
}

/** A scenario whose files lie beside it; `folder` is where its paths begin. */
function portable(scenario: Scenario, folder: string): Pick<Job, 'scenario' | 'files'> {
  const { federation, data } = scenario;
  const content = (path: string): string => loadFile(resolve(folder, path), readBase64);
  const models = federation.audit.referenceModels.map(
    (path, index) => [`reference-${index + 1}.safetensors`, content(path)] as const,
  );
  const audit = { ...federation.audit, referenceModels: models.map(([name]) => name) };
  return {
    scenario: {
      ...scenario,
      federation: { ...federation, audit },
      data: { ...data, schema: 'schema.yaml' },
    },
    files: Object.fromEntries([['schema.yaml', content(data.schema)], ...models]),
  };
}

function readBase64(path: string): string {
  return readFileSync(path).toString('base64');
}
