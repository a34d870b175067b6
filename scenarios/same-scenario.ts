import { basename } from 'node:path';
import { ParleyError } from '../shared/errors.ts';
import type { Seed } from '../shared/units.ts';
import type { Scenario } from './scenario.ts';

/** A run that has begun in a directory, as its files tell; what they do not tell, or not to this version, is undefined. */
export interface BegunRun {
  readonly directory: string;
  readonly scenario: Scenario | undefined;
  readonly seed: Seed | null | undefined;
}

/**
 * A simulation goes on only as it began. Free are the other seeds, since each has a run of its own; the trainer, which decides how
 * fast sites compute; and the folder of the data schema.
 *
 * @throws RUN_MISMATCH with the first places that differ.
 */
export function assertSameScenario(begun: BegunRun, wanted: { scenario: Scenario; seed: Seed }): void {
  const seeds = begun.seed !== undefined && begun.seed !== wanted.seed ? ['seed'] : [];
  const scenarios = begun.scenario
    ? differences(comparable(begun.scenario), comparable(wanted.scenario))
    : ['scenario.json (missing, or of another version)'];
  const places = [...seeds, ...scenarios];
  if (places.length === 0) return;
  const more = places.length > shown ? `, and ${places.length - shown} more` : '';
  throw new ParleyError(
    'RUN_MISMATCH',
    `${begun.directory} holds a run of another configuration, which differs in ${places.slice(0, shown).join(', ')}${more}: ` +
      'name another --out, restore what its scenario.json and manifest.json have to go on with it, or start over with --overwrite',
  );
}

const shown = 5;

/** As JSON has it, so that a key without a value is the same as none. */
function comparable({ sites, data, ...scenario }: Scenario): unknown {
  const compared = {
    ...{ ...scenario, seeds: [] },
    data: { ...data, schema: basename(data.schema) },
    sites: { ...sites, trainer: {} },
  };
  return JSON.parse(JSON.stringify(compared));
}

/** Dotted paths of the values that two JSON values do not share, in the order of the first. */
function differences(one: unknown, other: unknown, path = ''): readonly string[] {
  if (!isNested(one) || !isNested(other)) return one === other ? [] : [path];
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].flatMap((key) => differences(one[key], other[key], path === '' ? key : `${path}.${key}`));
}

function isNested(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
