import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  auditRound,
  type FinishedRun,
  mislabelledAttacks,
  openFinishedRun,
} from '../../coordinator/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';
import { dataDirectories } from '../data/data-directory.ts';
import { openSimulation } from '../red-team/finished-simulation.ts';
import { fedMiaSites, type RedTeamResult, redTeam, redTeamDefaults } from '../red-team/red-team.ts';
import { siteAttack } from '../red-team/site-attacker.ts';
import { storedScenario } from '../run-directory.ts';
import type { Terminal } from '../terminal.ts';
import { auditModel, isRunDirectory, type ModelOptions } from './audit-model.ts';
import { auditHtml } from './audit-page.ts';
import { auditText } from './audit-text.ts';
import { type Audited, runTitle } from './audited.ts';
import { likelihoodRatios } from './likelihood-ratios.ts';
import { assertShadowable, type ShadowedRun, shadowSignals } from './shadows.ts';
import { throughCommand, throughOptions } from './through/through-command.ts';

/** What `parley audit` was asked for. */
export interface AuditCommandOptions extends ModelOptions {
  readonly shadows?: number;
  readonly redTeam?: boolean;
  readonly out?: string;
  readonly dataDir?: string;
  readonly through?: string;
  readonly keyFile?: string;
  readonly copies?: number;
  readonly surrogate?: string;
}

interface Running {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/**
 * `parley audit`: the attacks of a round on the newest model of a run, or on a model from elsewhere whose members are known;
 * for simulations also likelihood ratios against shadow federations, and the roles that see more than global models. Prints
 * a table and writes audit.json and audit.html.
 *
 * @throws FILE_NOT_FOUND for a target that is not there; CONFIG_INVALID for options that do not go with it;
 * DIRECTORY_UNWRITABLE; what reading and attacking it throws.
 */
export async function auditCommand(
  target: string,
  options: AuditCommandOptions,
  running: Running,
): Promise<void> {
  const isRun = isRunDirectory(target);
  refuseOptionsOf(isRun ? 'model' : 'run', options);
  const { through } = options;
  if (through !== undefined) {
    refuseOptionsOf('direct', options);
    return throughCommand(target, throughOptions(target, { ...options, through }), running.terminal);
  }
  refuseOptionsOf('through', options);
  const out = options.out ?? (isRun ? target : 'runs/audit');
  prepareOut(out);
  const audited = isRun
    ? await auditRun(target, options, running)
    : (await auditModel(target, options, pause)).audited;
  writeFileSync(join(out, 'audit.json'), `${JSON.stringify(audited, null, 2)}\n`);
  const page = join(out, 'audit.html');
  writeFileSync(page, auditHtml(audited));
  running.terminal.say(`${auditText(audited)}\nreport: ${page}`);
  running.terminal.emit({ audit: audited, report: page });
}

const optionsOf = {
  run: { shadows: '--shadows', redTeam: '--red-team', dataDir: '--data-dir' },
  model: {
    ...{ schema: '--schema', members: '--members', heldOut: '--held-out', reference: '--reference' },
    ...{ spec: '--spec', initial: '--initial' },
  },
  direct: {
    ...{ shadows: '--shadows', redTeam: '--red-team', out: '--out' },
    ...{ reference: '--reference', spec: '--spec', initial: '--initial' },
  },
  through: { keyFile: '--key-file', copies: '--copies', surrogate: '--surrogate' },
} satisfies Record<string, { readonly [Key in keyof AuditCommandOptions]?: string }>;

/** What would be left undone without a word is refused. */
function refuseOptionsOf(other: keyof typeof optionsOf, options: AuditCommandOptions): void {
  const given = Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const misplaced = Object.entries(optionsOf[other]).filter(([key]) => given.includes(key));
  if (misplaced.length === 0) return;
  const names = misplaced.map(([, name]) => name).join(', ');
  throw new ParleyError('CONFIG_INVALID', `${names}: ${misplacedOptions[other]}`);
}

const misplacedOptions = {
  run: 'only the directory of a run can be audited with it, and the target is a file; leave it out',
  model:
    'only a model file is audited with it, and the target is a directory; leave it out, or name the model file',
  direct: 'an audit through an endpoint does not have it; leave it out, or leave --through out',
  through: 'only an audit through an endpoint has it; leave it out, or give the address with --through',
} as const satisfies Record<keyof typeof optionsOf, string>;

function prepareOut(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${directory} cannot be written to (${reason}): audit.json and audit.html go there; name another one with --out`,
      { cause },
    );
  }
}

async function auditRun(directory: string, options: AuditCommandOptions, running: Running): Promise<Audited> {
  const run = await openFinishedRun(directory);
  const round = run.reports.length - 1;
  const { seed } = run.manifest;
  const rng = seededRng(Seed.parse(seed ?? 1)).fork('audit of a finished run');
  const numShadows = options.shadows ?? 0;
  // What is refused is refused before anything takes its time, and shadows, which take the most, come last.
  const shadowed = numShadows === 0 ? undefined : shadowedRun(directory, { run, options, running });
  if (shadowed) assertShadowable(shadowed, numShadows);
  const { report: audit } = await auditRound(run.evidence, run.config.audit, { rng, pause });
  const roles = options.redTeam === true ? await redTeamOf(directory, run, rng) : noRedTeam;
  const ratios = shadowed
    ? likelihoodRatios(run.evidence, await shadowSignals(shadowed, numShadows), run.config.audit)
    : noRatios;
  return {
    title: runTitle(run.manifest, round),
    privacy: run.manifest.privacy,
    caveats: [...(run.manifest.stamp ? [run.manifest.stamp] : []), ...roles.caveats],
    audit,
    numShadows,
    likelihoodRatios: ratios.ofPeople,
    mislabelled: [
      ...(await mislabelledAttacks(run.evidence, run.config.audit, pause)),
      ...ratios.ofMislabelled,
    ],
    redTeam: roles.results,
  };
}

function shadowedRun(
  directory: string,
  { run, options, running }: { run: FinishedRun; options: AuditCommandOptions; running: Running },
): ShadowedRun {
  const seed = simulationSeed(run.manifest.seed, directory);
  return {
    ...{ seed, directory, run, signal: running.signal, observer: running.terminal },
    scenario: storedScenario(directory),
    dataDirectories: dataDirectories(process.env, options.dataDir),
  };
}

interface RedTeamed {
  readonly results: readonly RedTeamResult[];
  readonly caveats: readonly string[];
}

const noRatios = { ofPeople: [], ofMislabelled: [] };

const noRedTeam: RedTeamed = { results: [], caveats: [] };

async function redTeamOf(directory: string, run: FinishedRun, rng: Rng): Promise<RedTeamed> {
  const { audit } = run.config;
  const simulation = await openSimulation(directory);
  const bySite = await siteAttack(run.evidence, audit, { rng: rng.fork('a site'), pause });
  const { results = [], members = 0, heldOut = 0 } = bySite ?? {};
  const byCoordinator = await redTeam(simulation, { ...redTeamDefaults, fprs: audit.fprs });
  return {
    results: [
      ...results.map((result): RedTeamResult => ({ ...result, role: 'a site', members, heldOut })),
      ...byCoordinator,
    ],
    caveats:
      simulation.sites.size < fedMiaSites
        ? [`FedMIA is not measured: it needs ${fedMiaSites} sites, and the run has ${simulation.sites.size}.`]
        : [],
  };
}

const pause = (): Promise<void> => setImmediate();

function simulationSeed(seed: Seed | null, directory: string): Seed {
  if (seed !== null) return seed;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${directory} is a real run: shadow federations need everybody's records, which only a simulation has; leave --shadows out`,
  );
}
