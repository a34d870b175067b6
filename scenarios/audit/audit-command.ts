import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  AuditOptions,
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
import { type RedTeamResult, redTeam, redTeamDefaults } from '../red-team/red-team.ts';
import { siteAttack } from '../red-team/site-attacker.ts';
import { storedScenario } from '../run-directory.ts';
import type { Terminal } from '../terminal.ts';
import { auditHtml } from './audit-page.ts';
import { auditText } from './audit-text.ts';
import type { Audited } from './audited.ts';
import { likelihoodRatios } from './likelihood-ratios.ts';
import { modelEvidence } from './model-evidence.ts';
import { type ShadowedRun, shadowSignals } from './shadows.ts';

/** What `parley audit` was asked for. */
export interface AuditCommandOptions {
  readonly shadows?: number;
  readonly redTeam?: boolean;
  readonly out?: string;
  readonly dataDir?: string;
  readonly schema?: string;
  readonly members?: string;
  readonly heldOut?: string;
  readonly reference?: string;
  readonly spec?: string;
  readonly initial?: string;
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
 * @throws FILE_NOT_FOUND for a target that is not there; what reading and attacking it throws.
 */
export async function auditCommand(
  target: string,
  options: AuditCommandOptions,
  running: Running,
): Promise<void> {
  if (!existsSync(target))
    throw new ParleyError(
      'FILE_NOT_FOUND',
      `${target} does not exist: expected a run directory, a safetensors file, or model.json of a tfjs model`,
    );
  const isRun = statSync(target).isDirectory();
  const audited = isRun ? await auditRun(target, options, running) : await auditModel(target, options);
  const out = options.out ?? (isRun ? target : 'runs/audit');
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'audit.json'), `${JSON.stringify(audited, null, 2)}\n`);
  const page = join(out, 'audit.html');
  writeFileSync(page, auditHtml(audited));
  running.terminal.say(`${auditText(audited)}\nreport: ${page}`);
  running.terminal.emit({ audit: audited, report: page });
}

async function auditRun(
  directory: string,
  options: AuditCommandOptions,
  { terminal, signal }: Running,
): Promise<Audited> {
  const run = await openFinishedRun(directory);
  const round = run.reports.length - 1;
  const { seed, name } = run.manifest;
  const rng = seededRng(Seed.parse(seed ?? 1)).fork('audit of a finished run');
  const numShadows = options.shadows ?? 0;
  const shadowed = (): ShadowedRun => ({
    ...{ scenario: storedScenario(directory), seed: simulationSeed(seed, directory), directory, run, signal },
    dataDirectories: dataDirectories(process.env, options.dataDir),
    observer: terminal,
  });
  const ratios =
    numShadows === 0
      ? { ofPeople: [], ofMislabelled: [] }
      : likelihoodRatios(run.evidence, await shadowSignals(shadowed(), numShadows), run.config.audit);
  return {
    title: `${name}, run ${run.manifest.run}, model of round ${round + 1}`,
    caveats: [],
    audit: (await auditRound(run.evidence, run.config.audit, { rng, pause })).report,
    numShadows,
    likelihoodRatios: ratios.ofPeople,
    mislabelled: [
      ...(await mislabelledAttacks(run.evidence, run.config.audit, pause)),
      ...ratios.ofMislabelled,
    ],
    redTeam: options.redTeam === true ? await redTeamOf(directory, run, rng) : [],
  };
}

async function redTeamOf(directory: string, run: FinishedRun, rng: Rng): Promise<RedTeamResult[]> {
  const { audit } = run.config;
  const bySite = await siteAttack(run.evidence, audit, { rng: rng.fork('a site'), pause });
  const results = bySite?.results ?? [];
  const { members = 0, heldOut = 0 } = bySite ?? {};
  return [
    ...results.map((result): RedTeamResult => ({ ...result, role: 'a site', members, heldOut })),
    ...(await redTeam(await openSimulation(directory), { ...redTeamDefaults, fprs: audit.fprs })),
  ];
}

const pause = (): Promise<void> => setImmediate();

function simulationSeed(seed: Seed | null, directory: string): Seed {
  if (seed !== null) return seed;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${directory} is a real run: shadow federations need everybody's records, which only a simulation has`,
  );
}

async function auditModel(model: string, options: AuditCommandOptions): Promise<Audited> {
  const { schema, members, heldOut, reference, spec, initial } = options;
  if (schema === undefined || members === undefined || heldOut === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      'a model from elsewhere is audited on users whose membership is known: give --schema, --members and --held-out',
    );
  const evidence = await modelEvidence(
    { model, ...(spec !== undefined && { spec }), ...(initial !== undefined && { initial }) },
    { schema, members, heldOut, ...(reference !== undefined && { reference }) },
  );
  return {
    title: model,
    caveats: [
      'Members and held-out users were not chosen by a coin here: where they differ in anything else, that counts as leakage too.',
      ...(initial === undefined ? ['No initial model: ratios are against one that knows nothing.'] : []),
    ],
    audit: (await auditRound(evidence, AuditOptions.parse({}), { rng: seededRng(Seed.parse(1)), pause }))
      .report,
    ...{ numShadows: 0, likelihoodRatios: [], mislabelled: [], redTeam: [] },
  };
}
