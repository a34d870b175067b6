import type { Evidence, FederationConfig } from '../../coordinator/index.ts';
import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
import type { Manifest } from '../../shared/protocol/manifest.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import type { Audited } from '../audit/audited.ts';
import { roundNumber } from '../report/words.ts';
import type { Scenario } from '../scenario.ts';

/** All that an assessment looks at. Nothing in it is looked up later. */
export interface Subject {
  /** Run directory or model file, as it was given: commands of next steps name it. */
  readonly target: string;
  readonly title: string;
  /** The stamp of a run's artefacts; null for a model from elsewhere, of which nobody knows. */
  readonly privacy: Manifest['privacy'] | null;
  /** What cannot be known of this target, in sentences. */
  readonly caveats: readonly string[];
  /** Null for a model file. */
  readonly run: RunFacts | null;
  /** Attacks on the model; null for a model file without users whose membership is known. */
  readonly audit: AuditReport | null;
  /** Where those figures come from. */
  readonly auditSource: string;
  /** Signals of the audit users; null where they are not at hand. */
  readonly evidence: Evidence | null;
  /** Attacks on the canaries with wrong labels alone; none without such canaries. */
  readonly canaryAttacks: readonly AttackResult[];
  /** Where those figures come from. */
  readonly canarySource: string;
  /** What `parley audit` left in the run directory about this very model. */
  readonly later: Audited | null;
  readonly numParams: number;
  /** Runs given for comparison. */
  readonly against: readonly OtherRun[];
}

/** What a run directory says of its newest model. */
export interface RunFacts {
  readonly manifest: Manifest;
  /** Finished rounds in order, at least one. */
  readonly reports: readonly RoundReport[];
  readonly last: RoundReport;
  readonly config: FederationConfig;
  /** Null for a run of real sites. */
  readonly scenario: Scenario | null;
}

/** A run to compare with. */
export interface OtherRun {
  readonly directory: string;
  readonly run: RunFacts;
  readonly numParams: number;
  /** Where its configuration, seed or sites differ from the assessed run's: `model`, `local.defence`. Names do not count. */
  readonly differs: readonly string[];
}

/** An assessed run, whose figures are there. */
export type RunSubject = Subject & { readonly run: RunFacts };

/** Whether the subject is a run. */
export function isRun(subject: Subject): subject is RunSubject {
  return subject.run !== null;
}

/** The empirical defences of a run, as its reports name them. */
export function defencesOf({ last }: RunFacts): NonNullable<RoundReport['defences']> {
  return last.defences ?? [];
}

/** Where signals of audit users come from. */
export function signalSource(subject: Subject): string {
  return subject.run
    ? `signals in coordinator.sqlite, round ${roundNumber(subject.run.last)}`
    : 'answers to the records of the tables';
}
