import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
import type { Manifest } from '../../shared/protocol/manifest.ts';
import type { RedTeamResult } from '../red-team/red-team.ts';

/** All that `parley audit` found, as it is printed and written. */
export interface Audited {
  /** Which model. */
  readonly title: string;
  /** The stamp of the run's artefacts; null for a model from elsewhere, of which nobody knows. */
  readonly privacy: Manifest['privacy'] | null;
  /** What this audit cannot know, in sentences. */
  readonly caveats: readonly string[];
  readonly audit: AuditReport;
  /** Likelihood-ratio attacks, which had shadow federations; none where there are no shadows. */
  readonly likelihoodRatios: readonly AttackResult[];
  readonly numShadows: number;
  /** Every attack on the mislabelled canaries alone, likelihood ratios among them; none where there are no canaries. */
  readonly mislabelled: readonly AttackResult[];
  readonly redTeam: readonly RedTeamResult[];
}

/** One attack, whoever made it. */
export interface AuditRow extends AttackResult {
  /** What the attacker had. */
  readonly attacker: string;
  readonly isDeclared: boolean;
}

/** All attacks in one list: those on the global models, the declared one first, then those of stronger parties, then those on canaries. */
export function auditRows({
  audit,
  likelihoodRatios,
  numShadows,
  redTeam,
  mislabelled,
}: Audited): AuditRow[] {
  const of = (attacker: string, results: readonly AttackResult[]): AuditRow[] =>
    results.map((result) => ({ ...result, attacker, isDeclared: false }));
  return [
    { ...audit.user, attacker: globalModels, isDeclared: true },
    ...of(globalModels, audit.attacks),
    ...of(`${numShadows} shadow federations`, likelihoodRatios),
    ...redTeam.map((result) => ({ ...result, attacker: result.role, isDeclared: false })),
    ...of('global models; on canaries with wrong labels', mislabelled),
  ];
}

const globalModels = 'global models';
