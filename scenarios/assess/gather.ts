import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { FederationConfig, mislabelledAttacks, openFinishedRun } from '../../coordinator/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import { numParams } from '../../shared/model/layout.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { auditModel, type ModelOptions } from '../audit/audit-model.ts';
import { Audited, runTitle } from '../audit/audited.ts';
import { readModel } from '../audit/model-file.ts';
import { readRun, storedScenario } from '../run-directory.ts';
import { differencesOf } from './differences.ts';
import type { OtherRun, RunFacts, Subject } from './subject.ts';

/**
 * All that a run directory holds about its newest model, and the runs to compare with.
 *
 * @throws RUN_NOT_FOUND for a directory without a finished round, or of another version.
 */
export async function gatherRun(directory: string, against: readonly string[]): Promise<Subject> {
  const run = factsOf(directory);
  const evidence = existsSync(join(directory, 'coordinator.sqlite'))
    ? (await openFinishedRun(directory)).evidence
    : null;
  const { manifest, last, reports, config } = run;
  const later = laterAudit(directory, run);
  const auditSource = `rounds.jsonl, round ${reports.length}`;
  return {
    ...{ target: directory, privacy: manifest.privacy, run, audit: last.audit, auditSource, evidence, later },
    title: `${manifest.name} (run ${manifest.run}), model of round ${reports.length} of ${last.rounds}`,
    caveats: [],
    ...(await canariesOf({ later, evidence, last, config, auditSource })),
    numParams: numParams(config.model),
    against: against.map((other) => otherRun(other, run)),
  };
}

/**
 * What a model file holds, and what attacks on users whose membership is known find.
 *
 * @throws what reading and attacking it throws.
 */
export async function gatherModel(file: string, options: ModelOptions): Promise<Subject> {
  const { spec, schema, members, heldOut } = options;
  const model = await readModel(file, spec);
  const isGiven = [schema, members, heldOut].some((path) => path !== undefined);
  const found = isGiven ? await auditModel(file, options, pause) : undefined;
  const directory = dirname(dirname(file));
  const ofRun = existsSync(join(directory, 'manifest.json'))
    ? [`The file lies in the run directory ${directory}, which says more than it: assess that.`]
    : [];
  return {
    ...{ target: file, title: file, privacy: null, run: null, later: null, canaryAttacks: [], against: [] },
    caveats: [...ofRun, ...(found?.audited.caveats ?? [])],
    audit: found?.audited.audit ?? null,
    auditSource: 'attacks on the users of the tables',
    evidence: found?.evidence ?? null,
    canarySource: '',
    numParams: model.numParams,
  };
}

const pause = (): Promise<void> => setImmediate();

function factsOf(directory: string): RunFacts {
  const { manifest, reports } = readRun(directory);
  const last = reports.at(-1);
  if (!last)
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `${directory} has no finished round, so there is nothing to assess; let the run go on`,
    );
  const config = FederationConfig.safeParse(manifest.config['federation']);
  if (!config.success)
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `${join(directory, 'manifest.json')} does not fit this version's schema: ${config.error.message}`,
    );
  const isSimulated = existsSync(join(directory, 'scenario.json'));
  const scenario = isSimulated ? storedScenario(directory) : null;
  return { manifest, reports, last, config: config.data, scenario };
}

function otherRun(directory: string, own: RunFacts): OtherRun {
  const run = factsOf(directory);
  return { directory, run, numParams: numParams(run.config.model), differs: differencesOf(own, run) };
}

/** audit.json when it is about this very model: attacks without a coin of their own give the figures of its round again. */
function laterAudit(directory: string, { manifest, last }: RunFacts): Audited | null {
  const file = join(directory, 'audit.json');
  if (!existsSync(file)) return null;
  const parsed = Audited.safeParse(parsedJson(readFileSync(file, 'utf8')));
  if (!parsed.success || parsed.data.title !== runTitle(manifest, last.round)) return null;
  return JSON.stringify(parsed.data.audit.user) === JSON.stringify(last.audit.user) ? parsed.data : null;
}

type Canaries = Pick<Subject, 'canaryAttacks' | 'canarySource'>;

/** Attacks on mislabelled canaries: with likelihood ratios if there are some, else all from the signals, else the declared one. */
async function canariesOf({
  later,
  evidence,
  last,
  config,
  auditSource,
}: Pick<Subject, 'later' | 'evidence' | 'auditSource'> &
  Pick<RunFacts, 'last' | 'config'>): Promise<Canaries> {
  if (later && later.mislabelled.length > 0)
    return { canaryAttacks: later.mislabelled, canarySource: 'audit.json' };
  if (evidence)
    return {
      canaryAttacks: await mislabelledAttacks(evidence, config.audit, pause),
      canarySource: 'signals of canaries in coordinator.sqlite',
    };
  return { canaryAttacks: last.audit.mislabelled ? [last.audit.mislabelled] : [], canarySource: auditSource };
}
