import { type Evidence, FederationConfig } from '../../coordinator/index.ts';
import { type OtherRun, type RunFacts, type Subject } from '../../scenarios/assess/subject.ts';
import { loadScenario } from '../../scenarios/scenario.ts';
import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
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
  /** No attack but the declared one, on few users, by an earlier version. */
  readonly isMeagre?: boolean;
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
  const { kind = 'simulation', words = 'four-hospitals' } = options;
  const audit = anAudit(options);
  const found = {
    audit: kind === 'bare model' ? null : audit,
    auditSource: 'rounds.jsonl, round 12',
    evidence: kind === 'bare model' ? null : someSignals(options),
    canarySource: 'signals of canaries',
    numParams: 4101,
  };
  const named = { target: `runs/${words}`, title: words };
  if (kind === 'model' || kind === 'bare model')
    return {
      ...{ ...named, ...found, privacy: null, caveats: [words], run: null, later: null },
      ...{ canaryAttacks: [], against: [] },
    };
  const run = runFacts(options);
  return {
    ...{ ...named, ...found, privacy: run.manifest.privacy, caveats: [], run },
    canaryAttacks: options.mislabelled === false ? [] : [audit.user, ...audit.attacks],
    later: laterOf(options, audit),
    against: (options.against ?? []).map((path) => otherRun(path, run)),
  };
}

function someSignals({ signals: has = true, leaks = false }: SubjectOptions): Evidence | null {
  return has ? signals[leaks ? 'leaking' : 'tight'] : null;
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

function anAudit(options: SubjectOptions): AuditReport {
  const { control, groups, mislabelled = true, isMeagre = false } = options;
  const { audit } = aReport();
  const { mislabelled: canaries, vulnerable, ...people } = audit;
  return {
    ...people,
    ...attacksOf(options, audit.user),
    ...(isMeagre ? { attacks: [] } : vulnerable && { vulnerable }),
    ...(groups === false && { groups: [], worstGroup: null }),
    ...(mislabelled && canaries && { mislabelled: canaries }),
    negativeControl: { ...audit.negativeControl, passed: control !== 'negative failed' },
    ...((!isMeagre || control === 'positive failed') && {
      positiveControl: {
        ...{ plantedAuc: 0.75, auc: 0.75, low: 0.7, high: 0.8, pValue: 0 },
        passed: control !== 'positive failed',
      },
    }),
  };
}

function attacksOf(
  { words, leaks = false, allMade = false }: SubjectOptions,
  like: AttackResult,
): Pick<AuditReport, 'user' | 'attacks' | 'notMeasured'> {
  const found = leaks ? { auc: 0.9, low: 0.87, high: 0.93 } : { auc: 0.51, low: 0.47, high: 0.55 };
  const result = (attack: string): AttackResult => ({ ...like, ...found, attack });
  const reason = words ?? 'the run has no reference models (audit.referenceModels)';
  return {
    user: result(words ?? 'mean-log-ratio'),
    attacks: [result(words ?? 'loss'), { ...like, attack: 'hinge' }],
    notMeasured: allMade ? [] : [{ attack: 'rmia', reason }],
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
