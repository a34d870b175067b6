import type { AttackResult, ParentGroup, TprAtFpr } from '../../shared/protocol/audit-report.ts';
import type { ReportedEpsilon, RoundReport } from '../../shared/protocol/report.ts';

/** How the figures of a report are written, in the terminal and on the page: one rule for each kind of figure. */

/** The stamp of every artefact of a run whose noise came from a seed. */
export const simulationStamp = 'simulation: not private';

/** The stamp of a run whose sites train on all of their users together, with what a record was promised where one was. */
export function siloText({ stamp, defence, recordLevel }: NonNullable<RoundReport['silo']>): string {
  if (recordLevel === undefined) return `${stamp} (${plain(defence)})`;
  const { epsilon, delta } = recordLevel;
  return `${stamp} (${plain(defence)}: eps ${epsilonText(epsilon)} of one record, d=${deltaText(delta)})`;
}

/** Text of foreign origin on one line: control, formatting and line-breaking characters become a question mark. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** An AUC, an accuracy or a loss with three decimals. */
export function figure(value: number): string {
  return value.toFixed(3);
}

/** A 95 % interval of such figures: `[0.497, 0.527]`. */
export function interval(range: { readonly low: number; readonly high: number }): string {
  return `[${figure(range.low)}, ${figure(range.high)}]`;
}

/** Epsilon in nats, two decimals, rounded up, since an upper bound must never be shown smaller; `inf` where nothing is promised. */
export function epsilonText(epsilon: ReportedEpsilon): string {
  if (epsilon === 'infinite') return 'inf';
  const nearest = epsilon.toFixed(2);
  return Number(nearest) < epsilon ? (Number(nearest) + 0.01).toFixed(2) : nearest;
}

/** A proven epsilon in nats, two decimals, rounded down, since a lower bound must never be shown larger. */
export function provenText(epsilon: number): string {
  const nearest = epsilon.toFixed(2);
  return Number(nearest) > epsilon ? (Number(nearest) - 0.01).toFixed(2) : nearest;
}

/** A clip norm in parameter units, three digits: `0.312`. */
export function clipNormText(clipNorm: number): string {
  return String(Number(clipNorm.toPrecision(3)));
}

/** Delta in scientific notation with at most three digits: `1e-6`. */
export function deltaText(delta: number): string {
  return Number(delta.toPrecision(3)).toExponential();
}

/** A rate in [0, 1] as a percentage with one decimal: `1.2%`. */
export function percent(rate: number): string {
  return `${(rate * 100).toFixed(1)}%`;
}

/** A p-value with its sign: `p=0.18`, `p=0.031`, `p<0.001`. */
export function pText(pValue: number): string {
  if (pValue < 0.001) return 'p<0.001';
  return `p=${pValue.toFixed(pValue < 0.0995 ? 3 : 2)}`;
}

/** A duration: `2.1 s`. */
export function secondsText(seconds: number): string {
  return `${seconds.toFixed(1)} s`;
}

/** A count with thousands separated: `12,345`. */
export function countText(count: number): string {
  return count.toLocaleString('en-US');
}

/** A count with its noun, in the singular for one: `1 round`, `12,345 rounds`. */
export function counted(count: number, noun: string, several = `${noun}s`): string {
  return `${countText(count)} ${count === 1 ? noun : several}`;
}

/** The name of a subpopulation: `race=Asian`. */
export function groupName(group: { readonly column: string; readonly value: string }): string {
  return `${plain(group.column)}=${plain(group.value)}`;
}

/** A group that stands for others, which may be everybody: `race=Asian`, `all users`. */
export function parentName(group: ParentGroup): string {
  return group === 'all users' ? group : groupName(group);
}

/** TPRs with their intervals: `TPR@1% 12.0% [8.1%, 17.0%], TPR@0.1% needs 1,000 held-out`. */
export function tprsText(tprs: readonly TprAtFpr[]): string {
  return tprs
    .map((entry) => {
      const name = tprName(entry.fpr);
      if (entry.status === 'not-testable')
        return `${name} needs ${countText(entry.nonMembersNeeded)} held-out`;
      return `${name} ${percent(entry.tpr)} [${percent(entry.low)}, ${percent(entry.high)}]`;
    })
    .join(', ');
}

/** The round as people count it, from 1; the data count from 0. */
export function roundNumber(report: RoundReport): number {
  return report.round + 1;
}

/** The name of the utility metric: `test AUC` or `test accuracy`. */
export function utilityName(report: RoundReport): string {
  return report.utility.metric === 'auc' ? 'test AUC' : 'test accuracy';
}

/** The name of a TPR at a false-positive rate: `TPR@1%`, `TPR@0.1%`. */
export function tprName(fpr: number): string {
  return `TPR@${Number((fpr * 100).toPrecision(6))}%`;
}

/** An attack's TPR at a false-positive rate; undefined where it was not asked for or has too few non-members. */
export function measuredTpr(
  attack: Pick<AttackResult, 'tprAtFpr'>,
  fpr: number,
): Extract<TprAtFpr, { status: 'measured' }> | undefined {
  const found = attack.tprAtFpr.find((entry) => Math.abs(entry.fpr - fpr) <= 1e-9);
  return found?.status === 'measured' ? found : undefined;
}

/** The same as text: a percentage, or `n/a`. */
export function tprText(attack: Pick<AttackResult, 'tprAtFpr'>, fpr: number): string {
  const found = measuredTpr(attack, fpr);
  return found === undefined ? 'n/a' : percent(found.tpr);
}
