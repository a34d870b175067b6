import { figure, interval, plain, utilityName } from '../report/words.ts';
import { attacksMade } from './attack-needs.ts';
import { decimalFigure, type Figure } from './finding.ts';
import { heldTogether, strongest } from './strongest.ts';
import type { OtherRun, RunFacts } from './subject.ts';
import { failedControl } from './trust.ts';

/** Utility and leakage of one run, for a comparison. */
export function figuresOfRun(name: string, { last, reports }: RunFacts): Figure[] {
  const source = `${name}/rounds.jsonl, round ${reports.length}`;
  const { user, mislabelled } = last.audit;
  const best = strongest(attacksMade(last.audit));
  return [
    decimalFigure(`${name}: ${utilityName(last)}`, last.utility.value, { low: null, high: null }, source),
    decimalFigure(`${name}: AUC of ${user.attack} (declared)`, user.auc, user, source),
    ...(best
      ? [decimalFigure(`${name}: AUC of ${best.attack}, strongest of ${best.looks}`, best.auc, best, source)]
      : []),
    ...(mislabelled
      ? [
          decimalFigure(
            `${name}: AUC of ${mislabelled.attack} on mislabelled canaries`,
            mislabelled.auc,
            mislabelled,
            source,
          ),
        ]
      : []),
  ];
}

/** How the declared attack's AUC differs from another run's, in words; the interval holds whatever the two have in common. */
export function differenceWords(own: RunFacts, other: OtherRun): string {
  const failed = failedControl(own.last.audit) ?? failedControl(other.run.last.audit);
  if (failed !== undefined) return `void against ${other.directory}: ${failed}`;
  const [one, two] = [own.last.audit.user, other.run.last.audit.user];
  if (one.attack !== two.attack) return `${other.directory} declared another attack, ${two.attack}`;
  const [mine, theirs] = [heldTogether(one, 2), heldTogether(two, 2)];
  const range = { low: mine.low - theirs.high, high: mine.high - theirs.low };
  const difference = one.auc - two.auc;
  const what = `the AUC of ${plain(one.attack)}`;
  if (range.high < 0)
    return `${what} is lower here than in ${other.directory}, by ${figure(-difference)} ${interval({ low: -range.high, high: -range.low })}`;
  if (range.low > 0)
    return `${what} is higher here than in ${other.directory}, by ${figure(difference)} ${interval(range)}`;
  return `${what} cannot be told apart from that of ${other.directory}: ${figure(difference)} ${interval(range)}`;
}

/** What keeps a difference from being that of `meant` alone. */
export function otherDifferences(
  { directory, differs }: OtherRun,
  meant: (path: string) => boolean,
): string[] {
  const others = differs.filter((path) => !meant(path));
  return others.length === 0
    ? []
    : [`what is due to this alone: ${directory} differs also in ${others.join(', ')}`];
}
