import { type Evidence, FederationConfig } from '../../coordinator/index.ts';
import { type OtherRun, type RunFacts, type Subject } from '../../scenarios/assess/subject.ts';
import { loadScenario } from '../../scenarios/scenario.ts';
import type { AuditReport } from '../../shared/protocol/audit-report.ts';
import { CanaryReport } from '../../shared/protocol/canary-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';
import { aManifest, aReport } from './a-report.ts';
import { evidenceOf } from './audit-evidence.ts';

/** What differs from subject to subject. */
export interface SubjectOptions {
  /** A free text wherever there is one. */
  readonly words?: string;
  readonly kind?: 'simulation' | 'real' | 'model' | 'bare model';
  readonly leaks?: boolean;
  readonly control?: 'passed' | 'negative failed' | 'positive failed';
  readonly defences?: RoundReport['defences'];
  readonly isPromised?: boolean;
  readonly isBroken?: boolean;
  readonly directions?: boolean;
  readonly mislabelled?: boolean;
  readonly later?: 'none' | 'shadows' | 'red team' | 'both';
  readonly groups?: boolean;
  readonly signals?: boolean;
  readonly allMade?: boolean;
  readonly against?: readonly string[];
}

const signalsOf = (leak: number): Evidence =>
  evidenceOf(seededRng(Seed.parse(2)), { users: 60, records: 2, leak });
// Made once: laws look at hundreds of subjects.
const signals = { leaking: signalsOf(2), tight: signalsOf(0) };
const scenarios = {
  promised: loadScenario('scenarios/catalog/user-dp.yaml'),
  none: loadScenario('scenarios/catalog/leaky.yaml'),
};

/** A plausible subject with every kind of answer, or what the options make of it. */
export function aSubject(options: SubjectOptions = {}): Subject {
  const { kind = 'simulation', words = 'four-hospitals', mislabelled = true } = options;
  const isModel = kind === 'model' || kind === 'bare model';
  const run = isModel ? null : runFacts(options);
  const audit = anAudit(options);
  return {
    target: `runs/${words}`,
    title: words,
    privacy: run?.manifest.privacy ?? null,
    caveats: isModel ? [words] : [],
    run,
    audit: kind === 'bare model' ? null : audit,
    auditSource: 'rounds.jsonl, round 12',
    evidence:
      kind === 'bare model' || options.signals === false
        ? null
        : signals[options.leaks === true ? 'leaking' : 'tight'],
    canaryAttacks: !isModel && mislabelled ? [audit.user, ...audit.attacks] : [],
    canarySource: 'signals of canaries',
    later: isModel ? null : laterOf(options, audit),
    numParams: 4101,
    against: run ? (options.against ?? []).map((path) => otherRun(path, run)) : [],
  };
}

function runFacts(options: SubjectOptions): RunFacts {
  const { kind, isPromised = true } = options;
  const scenario = scenarios[isPromised ? 'promised' : 'none'];
  const manifest = { ...aManifest(), ...(kind === 'real' && { privacy: 'private' as const, seed: null }) };
  const last = aRound(options);
  return {
    ...{ manifest, reports: [last], last },
    config: FederationConfig.parse({ ...scenario.federation, seed: 1 }),
    scenario: kind === 'real' ? null : scenario,
  };
}

function aRound({
  kind,
  defences,
  isPromised = true,
  isBroken,
  directions,
  ...options
}: SubjectOptions): RoundReport {
  const report = aReport();
  const { epsilon } = report;
  return {
    ...report,
    epsilon: isPromised ? epsilon : { ...epsilon, coordinator: 'infinite', recipients: 'infinite' },
    audit: anAudit(options),
    ...(defences && { defences }),
    ...(directions === true && { canaries: someCanaries() }),
    ...(isBroken === true && { alarm: [{ view: 'coordinator', bound: 3.5, accounted: 1 }] }),
    privacy: kind === 'real' ? 'private' : 'simulation: not private',
  };
}

function anAudit({
  words,
  leaks,
  control,
  groups,
  mislabelled = true,
  allMade,
}: SubjectOptions): AuditReport {
  const { audit } = aReport();
  const { mislabelled: canaries, ...people } = audit;
  const attack = words ?? 'loss';
  const found = leaks === true ? { auc: 0.9, low: 0.87, high: 0.93 } : { auc: 0.51, low: 0.47, high: 0.55 };
  const user = { ...audit.user, ...found, attack: words ?? 'mean-log-ratio' };
  const reason = words ?? 'the run has no reference models (audit.referenceModels)';
  return {
    ...people,
    ...{
      user,
      attacks: [
        { ...audit.user, ...found, attack },
        { ...audit.user, attack: 'hinge' },
      ],
    },
    notMeasured: allMade === true ? [] : [{ attack: 'rmia', reason }],
    ...(groups === false && { groups: [], worstGroup: null }),
    ...(mislabelled && canaries && { mislabelled: canaries }),
    negativeControl: { ...audit.negativeControl, passed: control !== 'negative failed' },
    positiveControl: {
      ...{ plantedAuc: 0.75, auc: 0.75, low: 0.7, high: 0.8, pValue: 0 },
      passed: control !== 'positive failed',
    },
  };
}

function laterOf(
  { later = 'both', words = 'a caveat' }: SubjectOptions,
  audit: AuditReport,
): Subject['later'] {
  if (later === 'none') return null;
  const found = audit.user;
  const hasShadows = later !== 'red team';
  return {
    ...{ title: words, privacy: 'simulation: not private', caveats: [words], audit },
    numShadows: hasShadows ? 8 : 0,
    likelihoodRatios: hasShadows ? [{ ...found, attack: 'lira-online' }] : [],
    mislabelled: [],
    redTeam:
      later === 'shadows' ? [] : [{ ...found, role: 'coordinator, every update', members: 9, heldOut: 7 }],
  };
}

function otherRun(path: string, run: RunFacts): OtherRun {
  return { directory: `runs/${path}`, run, numParams: 161, differs: [path, 'seed'] };
}

function someCanaries(): CanaryReport {
  const estimate = { status: 'measured', epsilon: 1, low: 0.5, high: 1.5 };
  const bound = { epsilon: 0.4, confidence: 0.99, canaries: 64, guesses: 20, correct: 15 };
  const view = { roundEstimate: estimate, runEstimate: estimate, bound };
  return CanaryReport.parse({
    status: 'measured',
    members: 30,
    heldOut: 34,
    coordinator: view,
    recipients: view,
  });
}
