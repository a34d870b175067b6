import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { z } from 'zod';
import { loadConfig } from '../../shared/config.ts';
import { Seeds } from '../scenario.ts';

/** Part of a scenario, as it would stand in its file; the schema of the whole checks it once it is merged. */
const PartialScenario = z.record(z.string(), z.unknown());

// A name that begins with a letter keeps its place: JavaScript moves keys that are numbers to the front.
const variantName = /^[A-Za-z][\w.+-]{0,39}$/;

/** The values of one key, or named partial scenarios. */
const Axis = z.union(
  [z.array(z.json()), z.record(z.string().regex(variantName), PartialScenario)],
  'a list of values for this key, or a mapping of names (a letter, then letters, digits, . _ + -) to partial scenarios',
);
export type Axis = z.infer<typeof Axis>;

/** A base scenario: its path relative to the grid file, or the path and what this sweep changes in it before all else. */
const Base = z.union([z.string(), z.strictObject({ scenario: z.string(), set: PartialScenario })]);

/** A grid file: base scenarios, what varies, and the seeds of every cell. */
export const Grid = z
  .strictObject({
    /** One sentence for the report. */
    description: z.string().default(''),
    /** Path of the base scenario, relative to the grid file. */
    scenario: z.string().optional(),
    /** Several of them: every cell is made of each. */
    scenarios: z.array(Base).min(1).optional(),
    /** What all cells have in common, merged over the base before anything varies. */
    set: PartialScenario.default({}),
    /** Axes in order, first slowest: a dotted path with a list of values, or a name with a mapping of partial scenarios. */
    vary: z.record(z.string().min(1), Axis).default({}),
    /** Instead of the base scenario's. */
    seeds: Seeds.optional(),
    /** Instead of the base scenario's. */
    rounds: z.number().int().positive().optional(),
  })
  .superRefine(({ scenario, scenarios, vary }, context) => {
    const fault = (path: string[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    if ((scenario === undefined) === (scenarios === undefined))
      fault([], 'give either scenario or scenarios');
    for (const [axis, values] of Object.entries(vary))
      if (Object.keys(values).length === 0) fault(['vary', axis], 'an axis needs at least one value');
  });
export type Grid = z.infer<typeof Grid>;

/** A base scenario by its absolute path. */
interface LoadedBase {
  readonly file: string;
  readonly set: Readonly<Record<string, unknown>>;
}

/** A grid with a name and the paths of its scenarios made absolute. */
export interface LoadedGrid extends Omit<Grid, 'scenario' | 'scenarios'> {
  readonly file: string;
  /** The file's name without its ending. */
  readonly name: string;
  readonly scenarios: readonly LoadedBase[];
}

/** Read a grid file. Throws FILE_NOT_FOUND, and CONFIG_INVALID with every place that does not fit. */
export function loadGrid(file: string): LoadedGrid {
  const { scenario, scenarios, ...grid } = loadConfig(
    file,
    Grid,
    (path) => readFileSync(path, 'utf8'),
    'docs/sweeps.md',
  );
  const bases = scenarios ?? (scenario === undefined ? [] : [scenario]);
  return {
    ...grid,
    file,
    name: nameOfFile(file),
    scenarios: bases.map((base) => {
      const own = typeof base === 'string' ? { scenario: base, set: {} } : base;
      return { file: resolve(dirname(file), own.scenario), set: own.set };
    }),
  };
}

/** A grid as its reports show it: without the paths of the machine that ran it. */
export function shownGrid({ name, description, scenarios, set, vary, seeds, rounds }: LoadedGrid): object {
  const bases = scenarios.map((base) => ({ scenario: nameOfFile(base.file), set: base.set }));
  return { name, description, scenarios: bases, set, vary, seeds, rounds };
}

/** The name of a grid or scenario file: without folder and ending. */
export function nameOfFile(file: string): string {
  return basename(file).replace(/\.(ya?ml|json)$/, '');
}
