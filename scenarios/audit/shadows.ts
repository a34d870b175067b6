import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FinishedRun, type Observer, openFinishedRun } from '../../coordinator/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { Seed } from '../../shared/units.ts';
import type { Scenario } from '../scenario.ts';
import { simulate } from '../simulate.ts';

/** What shadow federations say of the audit users of a run: the input of likelihood-ratio attacks. */
export interface ShadowSignals {
  readonly numShadows: number;
  /** Each user's mean margin under each shadow's last model, shape (numShadows, numUsers). */
  readonly phi: Float64Array;
  /** 1 where the user could train in that shadow, the same shape. */
  readonly isMember: Uint8Array;
}

/** A finished simulation whose federation is to be trained again. */
export interface ShadowedRun {
  readonly scenario: Scenario;
  readonly seed: Seed;
  readonly directory: string;
  readonly run: FinishedRun;
  readonly dataDirectories: readonly string[];
  readonly observer: Observer;
  readonly signal: AbortSignal;
}

/**
 * Train `count` shadow federations of a simulation (Carlini et al. 2022): the same records, audit users and initial model,
 * each with its own fair coins, draws, noise and shuffles. They lie in `shadows/<k>` of the run directory, and those that
 * are finished there are read, not trained again. An attacker would need all users' records for this: it is a yardstick for
 * attacks that need less, not a threat by itself.
 *
 * @throws CONFIG_INVALID for linked sites, whose audit users differ from run to run; what a simulation throws.
 */
export async function shadowSignals(shadowed: ShadowedRun, count: number): Promise<ShadowSignals> {
  assertShadowable(shadowed, count);
  const numUsers = shadowed.run.evidence.population.roles.length;
  const phi = new Float64Array(count * numUsers);
  const isMember = new Uint8Array(count * numUsers);
  for (let shadow = 0; shadow < count; shadow++) {
    shadowed.observer.note(`shadow federation ${shadow + 1} of ${count}`);
    const { evidence } = await trained(shadowed, shadow + 1);
    assertSameUsers(evidence.population.recordOffsets, shadowed.run.evidence.population.recordOffsets);
    phi.set(meanMargins(evidence), shadow * numUsers);
    isMember.set(
      Uint8Array.from(evidence.population.roles, (role) => (role === 'member' ? 1 : 0)),
      shadow * numUsers,
    );
  }
  return { numShadows: count, phi, isMember };
}

/** Throws CONFIG_INVALID for too few shadows, a run that ended early, and linked sites, whose audit users differ by run. */
export function assertShadowable({ scenario, run, directory }: ShadowedRun, count: number): void {
  if (count < leastShadows)
    throw new ParleyError(
      'CONFIG_INVALID',
      `--shadows ${count}: a user needs two shadow federations that could train on her and two that could not, so at least ` +
        `${leastShadows}; sixteen leave out few users`,
    );
  const { rounds } = scenario.federation;
  if (run.reports.length !== rounds)
    throw new ParleyError(
      'CONFIG_INVALID',
      `${directory} has ${run.reports.length} of ${rounds} rounds, and shadow federations train all of them: their models ` +
        'would not be comparable; let the run go on to its end, or simulate with fewer --rounds',
    );
  if (scenario.data.type === 'spread-table')
    throw new ParleyError(
      'CONFIG_INVALID',
      'linked sites choose their audit users by the run, so shadow federations would watch other users; use a scenario ' +
        'without linked sites',
    );
}

const leastShadows = 4;

/** Mean over a user's records of the LiRA logit under the newest model, shape (numUsers,). */
export function meanMargins({ population, current }: FinishedRun['evidence']): Float64Array {
  const { recordOffsets, roles } = population;
  return Float64Array.from(roles, (_, user) => {
    const [start, end] = [recordOffsets[user] ?? 0, recordOffsets[user + 1] ?? 0];
    let sum = 0;
    for (let record = start; record < end; record++) sum += current.margin[record] ?? 0;
    return sum / (end - start);
  });
}

async function trained(shadowed: ShadowedRun, shadow: number): Promise<FinishedRun> {
  const directory = join(shadowed.directory, 'shadows', String(shadow));
  const scenario = shadowScenario(shadowed.scenario, shadow);
  const finished = join(directory, 'finished');
  if (!existsSync(finished)) {
    // Whatever an interruption left: half a shadow is no shadow.
    rmSync(directory, { recursive: true, force: true });
    await simulate({ ...shadowed, scenario, directory, inProcess: true, observer: quiet(shadowed) });
    writeFileSync(finished, '');
  }
  // Rosters and signals are what counts; data and releases of many shadows would fill the disk.
  rmSync(join(directory, 'sites'), { recursive: true, force: true });
  return openFinishedRun(directory);
}

/** Another run id gives other draws, noise and shuffles from the same seed; `coins` gives other roles to the same users. */
function shadowScenario(scenario: Scenario, shadow: number): Scenario {
  const { federation, sites } = scenario;
  return {
    ...scenario,
    federation: {
      ...federation,
      name: `${federation.name.slice(0, 28)}-shadow-${shadow}`,
      leakage: [],
      // Nobody reads a shadow's audits.
      audit: { ...federation.audit, attacks: [], pairs: false },
    },
    sites: { ...sites, audit: { ...sites.audit, coins: shadow } },
  };
}

function quiet({ observer }: ShadowedRun): Observer {
  return { ...observer, report: () => undefined, note: () => undefined };
}

function assertSameUsers(shadow: Int32Array, target: Int32Array): void {
  if (shadow.length === target.length && shadow.every((offset, index) => offset === target[index])) return;
  throw new ParleyError(
    'RUN_MISMATCH',
    'a shadow federation has other audit users than its run: it was made by another version or other data; delete the ' +
      'folder `shadows` of the run directory',
  );
}
