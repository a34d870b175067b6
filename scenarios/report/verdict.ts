import type { RoundReport } from '../../shared/protocol/report.ts';
import { controlsPassed } from './run.ts';
import { counted, figure, groupName, interval, plain, pText, roundNumber } from './words.ts';

/** What the audit of the last round's model says, in one title and a few exact sentences of plain text. */
export interface Verdict {
  readonly kind: 'no-round' | 'void' | 'leaks' | 'below-chance' | 'nothing-found';
  readonly title: string;
  readonly sentences: readonly string[];
}

/** Verdict on the model of the last of `reports`, in round order. A failed control voids it whatever else was found. */
export function verdict(reports: readonly RoundReport[]): Verdict {
  const last = reports.at(-1);
  if (last === undefined)
    return { kind: 'no-round', title: 'No verdict: no round was finished', sentences: [] };
  const { kind, title, sentences } = audited(last);
  return { kind, title, sentences: [...sentences, ...overRounds(reports), ...policySentence(last)] };
}

function audited(report: RoundReport): Verdict {
  const { user, negativeControl: control, positiveControl: planted } = report.audit;
  if (!control.passed) {
    const found = `AUC ${figure(control.auc)} ${interval(control)}`;
    return {
      kind: 'void',
      title: 'Void: the negative control failed',
      sentences: [
        `With permuted labels the declared attack must look like chance, but gave ${found}. No conclusion may be drawn from this round's attack figures.`,
      ],
    };
  }
  if (planted?.passed === false)
    return {
      kind: 'void',
      title: 'Void: the positive control failed',
      sentences: [
        `A leak of AUC ${figure(planted.plantedAuc)} was put into the scores and not found: the audit gave ${figure(planted.auc)} ${interval(planted)}. No conclusion may be drawn from this round's attack figures.`,
      ],
    };
  const groups = leakingGroups(report);
  if (user.low > 0.5) return leaks(report, groups);
  if (groups.length > 0)
    return {
      kind: 'leaks',
      title: 'Leakage found in a subpopulation',
      sentences: [...groups, `The average hides it: over all audit users, ${declared(report)}.`],
    };
  return user.high < 0.5 ? belowChance(report) : nothingFound(report);
}

function leaks(report: RoundReport, groups: readonly string[]): Verdict {
  return {
    kind: 'leaks',
    title: 'Leakage found',
    sentences: [
      `The model tells members from held-out users better than chance: ${declared(report)}.`,
      ...groups,
    ],
  };
}

function belowChance(report: RoundReport): Verdict {
  return {
    kind: 'below-chance',
    title: 'Below chance: check the attack',
    sentences: [
      `The whole interval lies under 0.5: ${declared(report)}. Either chance, or scores whose orientation is wrong; an attacker who turns them round would profit.`,
    ],
  };
}

function nothingFound(report: RoundReport): Verdict {
  const missed = figure(report.audit.minimumDetectableAuc);
  return {
    kind: 'nothing-found',
    title: 'No leakage found by the declared attack',
    sentences: [
      `The interval covers chance: ${declared(report)}. This is no proof of privacy: with these audit users, an AUC below ${missed} would be missed more often than one time in five.`,
    ],
  };
}

function declared({ audit: { user } }: RoundReport): string {
  return `${plain(user.attack)} reaches AUC ${figure(user.auc)} ${interval(user)}`;
}

const namedGroups = 5;

/** The groups that leak, the worst first, and how many are not named. */
function leakingGroups(report: RoundReport): string[] {
  const leaking = report.audit.groups
    .filter((group) => group.status === 'tested')
    .filter(({ rejected }) => rejected)
    .sort((a, b) => a.pValue - b.pValue || b.auc - a.auc);
  const more = leaking.length - namedGroups;
  return [
    ...leaking
      .slice(0, namedGroups)
      .map(
        (group) =>
          `${groupName(group)} leaks: AUC ${figure(group.auc)} ${interval(group)}, adjusted ${pText(group.pValue)}.`,
      ),
    ...(more > 0 ? [`So do ${counted(more, 'more group')}.`] : []),
  ];
}

function overRounds(reports: readonly RoundReport[]): string[] {
  if (reports.length < 2) return [];
  const above = reports.filter(({ audit }) => audit.user.low > 0.5);
  const failed = reports.filter(({ audit }) => !controlsPassed(audit));
  const highest = reports.reduce((best, report) =>
    report.audit.user.auc > best.audit.user.auc ? report : best,
  );
  return [
    `Over ${counted(reports.length, 'round')} the interval lay above 0.5 in ${above.length}; the largest AUC was ${figure(highest.audit.user.auc)}, in round ${roundNumber(highest)}. All rounds share the same audit coins: without any leakage about one run in forty shows such intervals, and then in most of its rounds. A control failed in ${failed.length}.`,
  ];
}

const policyWords = { warn: 'warns', 'roll-back': 'rolled the run back', stop: 'stopped the run' } as const;

function policySentence({ policy }: RoundReport): string[] {
  if (policy.action === 'go-on') return [];
  const reasons = policy.reasons.map(plain).join('; ') || 'no reason given';
  return [`The leakage policy ${policyWords[policy.action]}: ${reasons}.`];
}
