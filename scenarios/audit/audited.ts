import { z } from 'zod';
import { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
import { Manifest } from '../../shared/protocol/manifest.ts';
import { RedTeamResult } from '../red-team/red-team.ts';

/** All that `parley audit` found, as it is printed and written to audit.json. */
export const Audited = z.strictObject({
  /** Which model. */
  title: z.string(),
  /** The stamp of the run's artefacts; null for a model from elsewhere, of which nobody knows. */
  privacy: Manifest.shape.privacy.nullable(),
  /** What this audit cannot know, in sentences. */
  caveats: z.array(z.string()).readonly(),
  audit: AuditReport,
  /** Likelihood-ratio attacks, which had shadow federations; none where there are no shadows. */
  likelihoodRatios: z.array(AttackResult).readonly(),
  numShadows: z.number().int().nonnegative(),
  /** Every attack on the mislabelled canaries alone, likelihood ratios among them; none where there are no canaries. */
  mislabelled: z.array(AttackResult).readonly(),
  redTeam: z.array(RedTeamResult).readonly(),
});
export type Audited = z.infer<typeof Audited>;

/** The title of an audit of a run's newest model: of the round with this number, from 0. */
export function runTitle({ name, run }: Manifest, round: number): string {
  return `${name}, run ${run}, model of round ${round + 1}`;
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
