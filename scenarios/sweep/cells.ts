import type { z } from 'zod';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { ParleyError } from '../../shared/errors.ts';
import { faultOf } from '../../shared/faults.ts';
import { Scenario } from '../scenario.ts';
import type { Axis, LoadedGrid } from './grid.ts';
import { merged, withValueAt } from './merge.ts';

/** A base scenario as its file has it. */
export interface BaseScenario {
  readonly name: string;
  /** The parsed file, before the schema fills in defaults. */
  readonly content: unknown;
}

/** One point of a grid: a scenario of its own, run once for each seed. */
export interface Cell {
  /** For people: `leaky, defence relaxloss, samplingRate 0.5`. */
  readonly name: string;
  /** The same as the name of a folder; no other cell of the grid has it. */
  readonly folder: string;
  /** Name of the base scenario. */
  readonly base: string;
  /** What it has of each axis, in their order. */
  readonly labels: readonly string[];
  /** With every default. */
  readonly scenario: Scenario;
}

/** A step along one axis. */
interface Choice {
  readonly label: string;
  /** Undefined where the path leads nowhere. */
  readonly apply: (content: unknown) => unknown;
}

/**
 * Every cell of a grid: each base scenario with each combination of the axes, the first axis slowest.
 *
 * @throws CONFIG_INVALID naming the cell, the place and what was expected, when a cell is no scenario; for two cells that are
 * the same scenario, and two base scenarios of one name.
 */
export function cellsOf(grid: LoadedGrid, bases: readonly BaseScenario[]): Cell[] {
  const axes = Object.entries(grid.vary).map(([axis, values]) => choicesOf(axis, values, grid));
  const cells = bases.flatMap((base) => combinations(axes).map((choices) => cellOf(grid, base, choices)));
  assertDistinct(grid, cells);
  return cells;
}

/** The short name of an axis: the last key of its path where no other axis ends so. */
function axisLabel(axis: string, { vary }: LoadedGrid): string {
  const last = (path: string): string => path.split('.').at(-1) ?? path;
  const alike = Object.keys(vary).filter((other) => last(other) === last(axis));
  return alike.length > 1 ? axis : last(axis);
}

function choicesOf(axis: string, values: Axis, grid: LoadedGrid): Choice[] {
  const label = axisLabel(axis, grid);
  if (Array.isArray(values))
    return values.map((value) => ({
      label: `${label} ${valueLabel(value)}`,
      apply: (content) => withValueAt(content, axis.split('.'), value),
    }));
  return Object.entries(values).map(([name, change]) => ({
    label: `${label} ${name}`,
    apply: (content) => merged(content, change),
  }));
}

function valueLabel(value: unknown): string {
  return (typeof value === 'string' ? value : JSON.stringify(value))
    .replaceAll(/["{}]/g, '')
    .replaceAll(/[:,]/g, ' ');
}

function combinations(axes: readonly (readonly Choice[])[]): Choice[][] {
  return axes.reduce<Choice[][]>(
    (points, axis) => points.flatMap((point) => axis.map((choice) => [...point, choice])),
    [[]],
  );
}

function cellOf(grid: LoadedGrid, base: BaseScenario, choices: readonly Choice[]): Cell {
  const labels = choices.map(({ label }) => label);
  const name = [base.name, ...labels].join(', ');
  const rounds = grid.rounds === undefined ? {} : { federation: { rounds: grid.rounds } };
  let content = merged(merged(base.content, grid.set), rounds);
  for (const { label, apply } of choices) {
    content = apply(content);
    if (content === undefined)
      throw invalid(grid, name, `the path of "${label}" leads through something that has no keys`);
  }
  const parsed = Scenario.safeParse(content);
  if (!parsed.success) throw invalid(grid, name, parsed.error.issues.map(place).join('; '));
  return { name, folder: folderOf(name), base: base.name, labels, scenario: parsed.data };
}

function place(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return faultOf(issue, 'the scenario');
  const path = issue.path.join('.');
  const keys = issue.keys.map((key) => (path === '' ? key : `${path}.${key}`));
  return `${keys.join(', ')}: no key of a scenario, or not of this kind`;
}

const longestFolder = 80;

/** Readable and short; a name that does not fit whole is told from others by a hash. */
function folderOf(name: string): string {
  const folder = name.replaceAll(', ', '_').replaceAll(/[^\w.+-]+/g, '-');
  const isExact = folder.length <= longestFolder && /^[\w.+, -]*$/.test(name);
  return isExact ? folder : `${folder.slice(0, longestFolder - 9)}-${sha256(name).slice(0, 8)}`;
}

function assertDistinct(grid: LoadedGrid, cells: readonly Cell[]): void {
  const seen = new Map<string, Cell>();
  for (const cell of cells) {
    const content = JSON.stringify(cell.scenario);
    const same = seen.get(content) ?? cells.find((other) => other !== cell && other.folder === cell.folder);
    if (same !== undefined)
      throw new ParleyError(
        'CONFIG_INVALID',
        `${grid.file}: the cells "${same.name}" and "${cell.name}" are the same; every value of an axis must change the scenario, and every base scenario needs a name of its own`,
      );
    seen.set(content, cell);
  }
}

function invalid(grid: LoadedGrid, cell: string, what: string): ParleyError {
  return new ParleyError(
    'CONFIG_INVALID',
    `${grid.file}: cell "${cell}" is no scenario: ${what}. docs/scenarios.md has every key of a scenario, docs/sweeps.md those of a grid`,
  );
}
