import type { GroupResult } from '../../shared/protocol/audit-report.ts';
import { counted, countText, figure, groupName, interval, plain, pText } from '../report/words.ts';
import {
  countFigure,
  decimalFigure,
  type Finding,
  known,
  measured,
  type Step,
  unmeasured,
} from './finding.ts';
import { giveTables, priceOfPrivacy, simulateWith } from './steps.ts';
import type { Subject } from './subject.ts';
import { type AttackedSubject, attacked, notAttacked, wasAttacked } from './trust.ts';

type Tested = Extract<GroupResult, { status: 'tested' }>;

/** The groups that are large enough. */
export function testedGroups({ audit }: AttackedSubject): Tested[] {
  return audit.groups.filter((group) => group.status === 'tested');
}

/** Groups under the subpopulation attack, the leaking ones named. */
export function groupsFound(subject: Subject): Finding {
  return attacked('subpopulations', subject, groupsAttacked);
}

function groupsAttacked(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const tested = testedGroups(subject);
  const method = audit.multipleTesting === 'holm' ? 'Holm' : 'Benjamini-Hochberg';
  if (tested.length === 0)
    return unmeasured('subpopulations', {
      answer: 'No group is large enough to test, or no column of groups is declared.',
      next: [declareGroups(subject)],
    });
  const leaking = tested.filter(({ rejected }) => rejected);
  const [worst] = tested.toSorted((a, b) => a.pValue - b.pValue || b.auc - a.auc);
  const names = leaking.slice(0, 5).map(groupName).join(', ');
  return measured('subpopulations', {
    answer:
      leaking.length > 0
        ? `${countText(leaking.length)} of ${countText(tested.length)} tested groups leak, by p-values adjusted for all of them (${method}): ${names}${leaking.length > 5 ? ' and others' : ''}.`
        : `None of ${countText(tested.length)} tested groups leaks, by p-values adjusted for all of them (${method}).`,
    figures: [
      countFigure('groups tested', tested.length, auditSource),
      countFigure('groups that leak', leaking.length, auditSource),
      ...(worst
        ? [
            {
              ...decimalFigure(
                `AUC of the worst group, ${groupName(worst)}, interval for all groups together`,
                worst.auc,
                worst,
                auditSource,
              ),
              text: `${figure(worst.auc)} ${interval(worst)}, adjusted ${pText(worst.pValue)}`,
            },
          ]
        : []),
    ],
    missing: audit.pairsLeftOut?.length ? [`combinations: ${audit.pairsLeftOut.map(plain).join(', ')}`] : [],
    next: [leaking.length > 0 ? priceOfPrivacy(subject) : declareGroups(subject)],
  });
}

function declareGroups(subject: Subject): Step {
  if (!subject.run) return giveTables(subject);
  return simulateWith(
    subject,
    'declare the groups that matter to you as subpopulations of the data schema, with more audit users',
    'more-groups',
  );
}

/** Groups of which nothing is known. */
export function groupsTooSmall(subject: Subject): Finding {
  if (!wasAttacked(subject)) return notAttacked('groups-not-testable', subject);
  const { audit, auditSource } = subject;
  const small = audit.groups.filter((group) => group.status === 'not-testable');
  if (small.length === 0)
    return known('groups-not-testable', {
      answer:
        audit.groups.length === 0
          ? 'No group was declared.'
          : 'None: every group that a member or held-out user is in was tested.',
      next: [declareGroups(subject)],
    });
  const listed = small.slice(0, 12).map((group) => `${groupName(group)}: ${plain(group.reason)}`);
  const more = small.length - listed.length;
  return known('groups-not-testable', {
    answer: `${counted(small.length, 'group')} cannot be tested; nothing is known of them but what stands for the groups around them.`,
    figures: [countFigure('groups too small to test', small.length, auditSource)],
    missing: [...listed, ...(more > 0 ? [`${counted(more, 'more group')} in rounds.jsonl`] : [])],
    next: [declareGroups(subject)],
  });
}
