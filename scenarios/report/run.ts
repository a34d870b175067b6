import type { CanaryOfRun } from '../../coordinator/index.ts';
import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import type { Manifest } from '../../shared/protocol/manifest.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { countText, figure, interval, simulationStamp } from './words.ts';

/** What a run directory says about one run: its manifest and the reports of its finished rounds, in order. */
export interface ReportedRun {
  readonly manifest: Manifest;
  readonly reports: readonly RoundReport[];
}

/** One run of a scenario that was repeated over seeds. */
export interface SeedRun extends ReportedRun {
  readonly seed: number;
  /** The canary that stands for this run; left out where none was scored. */
  readonly canary?: CanaryOfRun;
}

/** Whether anything in the run was protected by repeatable noise, in which case nothing is private. */
export function isSimulation({ manifest, reports }: ReportedRun): boolean {
  return [manifest, ...reports].some(({ privacy }) => privacy === simulationStamp);
}

/** Whether sites trained on all of their users together, in which case nothing was promised to a user. */
export function isSiloLevel({ manifest, reports }: ReportedRun): boolean {
  return manifest.stamp !== undefined || reports.some(({ silo }) => silo !== undefined);
}

/** The round with the largest utility; the earliest of several. Chosen with the test data, so its figure is optimistic. */
export function bestRound(reports: readonly RoundReport[]): RoundReport | undefined {
  return reports.reduce<RoundReport | undefined>(
    (best, report) => (best === undefined || report.utility.value > best.utility.value ? report : best),
    undefined,
  );
}

/** Whether no control of an audit failed; a failed one voids its verdict. */
export function controlsPassed({ negativeControl, positiveControl }: RoundReport['audit']): boolean {
  return negativeControl.passed && positiveControl?.passed !== false;
}

/** Every attack on all audit users of a round once, the declared one first. */
export function attacksOf({ audit }: RoundReport): AttackResult[] {
  return [audit.user, ...audit.attacks.filter(({ attack }) => attack !== audit.user.attack)];
}

/** What the combined attack found, and on whom; it is not comparable with figures of all users. Undefined without one. */
export function combinedText({ audit: { combined } }: Pick<RoundReport, 'audit'>): string | undefined {
  if (!combined) return undefined;
  const { members, heldOut } = combined.evaluatedOn;
  const on = `${countText(members)} members and ${countText(heldOut)} held-out users`;
  return `all attacks combined, trained on half of the audit users: AUC ${figure(combined.auc)} ${interval(combined)} on the other half alone (${on})`;
}

/** False-positive rates at which any attack of a round gave a TPR, largest first. */
export function fprsOf(report: RoundReport): number[] {
  const all = attacksOf(report).flatMap(({ tprAtFpr }) => tprAtFpr.map(({ fpr }) => fpr));
  return [...new Set(all)].sort((a, b) => b - a);
}

/** Seconds of all rounds together. */
export function totalSeconds(reports: readonly RoundReport[]): number {
  return reports.reduce((sum, { seconds }) => sum + seconds, 0);
}

/** Declared users of all sites together. */
export function declaredUsers(manifest: Manifest): number {
  return manifest.sites.reduce((sum, site) => sum + site.declaredUsers, 0);
}
