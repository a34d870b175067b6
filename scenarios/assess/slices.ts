import type { GroupResult } from '../../shared/protocol/audit-report.ts';
import { counted, countText, figure, groupName, interval, percent, plain, pText } from '../report/words.ts';
import { countFigure, decimalFigure, type Figure, type Finding, known, measured, rateFigure, type Section, unmeasured } from './finding.ts';
import { commandOn, giveTables, priceOfPrivacy, simulateWith, trainShadows } from './steps.ts';
import { highestTpr, strongest } from './strongest.ts';
import type { Subject } from './subject.ts';
import { type AttackedSubject, attacked, failedControl, notAttacked, wasAttacked } from './trust.ts';

/** Groups, single users, and canaries who can only be learnt by heart: whom an average hides. */
export function slices(subject: Subject): Section {
  return {
    id: 'slices',
    conclusion: conclusionOf(subject),
    findings: [
      attacked('subpopulations', subject, groupsFound),
      wasAttacked(subject) ? tooSmall(subject) : notAttacked('groups-not-testable', subject),
      attacked('vulnerable-users', subject, usersFound),
      mislabelled(subject),
    ],
  };
}

type Tested = Extract<GroupResult, { status: 'tested' }>;

function testedGroups({ audit }: AttackedSubject): Tested[] {
  return audit.groups.filter((group) => group.status === 'tested');
}

function conclusionOf(subject: Subject): string {
  if (!wasAttacked(subject)) return 'Not measured: no users were given to attack it with.';
  if (failedControl(subject.audit) !== undefined) return 'Void: a control failed.';
  const { audit, canaryAttacks } = subject;
  const tested = testedGroups(subject);
  const leaking = tested.filter(({ rejected }) => rejected).length;
  const groups =
    tested.length === 0
      ? 'no group is large enough to test'
      : leaking === 0
        ? `none of ${counted(tested.length, 'tested group')} leaks`
        : `${leaking} of ${counted(tested.length, 'tested group')} ${leaking === 1 ? 'leaks' : 'leak'}`;
  const small = audit.groups.length - tested.length;
  const canaries = strongest(canaryAttacks);
  const byHeart = !canaries
    ? 'users easiest to find were not measured: there are no canaries with wrong labels'
    : canaries.low > 0.5
      ? `canaries with wrong labels are found: AUC ${figure(canaries.auc)} ${interval(canaries)}, so users easiest to find are exposed`
      : `canaries with wrong labels are not found beyond chance: AUC ${figure(canaries.auc)} ${interval(canaries)}`;
  const text = `${groups} (${counted(small, 'group')} too small); ${byHeart}.`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function groupsFound(subject: AttackedSubject): Finding {
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
              ...decimalFigure(`AUC of the worst group, ${groupName(worst)}, interval for all groups together`, worst.auc, worst, auditSource),
              text: `${figure(worst.auc)} ${interval(worst)}, adjusted ${pText(worst.pValue)}`,
            },
          ]
        : []),
    ],
    missing: audit.pairsLeftOut?.length ? [`combinations: ${audit.pairsLeftOut.map(plain).join(', ')}`] : [],
    next: [leaking.length > 0 ? priceOfPrivacy(subject) : declareGroups(subject)],
  });
}

function declareGroups(subject: Subject): ReturnType<typeof simulateWith> {
  if (!subject.run) return giveTables(subject);
  return simulateWith(
    subject,
    'declare the groups that matter to you as subpopulations of the data schema, with more audit users',
    'more-groups',
  );
}

function tooSmall(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const small = audit.groups.filter((group) => group.status === 'not-testable');
  if (small.length === 0)
    return known('groups-not-testable', {
      answer: audit.groups.length === 0 ? 'No group was declared.' : 'None: all declared groups were tested.',
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

function usersFound(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const { vulnerable } = audit;
  if (!vulnerable)
    return unmeasured('vulnerable-users', {
      answer: 'Not measured: the reports are from before single users were tested.',
      next: [{ do: 'Attack the newest model again', command: commandOn(subject, 'audit') }],
    });
  const { tested, flagged, flaggedMembers, falseDiscoveryRate, users, topPercentile: top } = vulnerable;
  const [first] = users;
  const figures: Figure[] = [
    countFigure(`users accused, of ${countText(tested)}, at a false discovery rate of ${percent(falseDiscoveryRate)}`, flagged, auditSource),
    countFigure('of them members', flaggedMembers, auditSource),
    ...(top.users > 0
      ? [rateFigure(`members among the ${top.users} users with the largest scores`, top.members / top.users, top, auditSource)]
      : []),
  ];
  const named = first ? ` First in line: ${plain(first.user)} (${first.groups.map(plain).join(', ')}), ${pText(first.pValue)} alone.` : '';
  return measured('vulnerable-users', {
    answer:
      flagged > 0
        ? `${counted(flagged, 'user')} can be accused, ${countText(flaggedMembers)} of them rightly.${named}`
        : `Nobody can be accused. With so few held-out users no single p-value is small enough, so this says little.${named}`,
    figures,
    missing: ['users who are not audit users'],
    next: [flagged > 0 ? priceOfPrivacy(subject) : subject.run ? trainShadows(subject) : giveTables(subject)],
  });
}

function mislabelled(subject: Subject): Finding {
  if (!subject.run)
    return unmeasured('mislabelled-canaries', {
      answer: 'Not measured: canaries have to be in the training, and a model file cannot have them later.',
      next: [
        {
          do: 'See what canaries with wrong labels show',
          command: 'parley simulate scenarios/catalog/mislabelled-unprotected.yaml',
          read: 'docs/auditing.md#canaries-with-wrong-labels',
        },
      ],
    });
  if (subject.canaryAttacks.length === 0)
    return unmeasured('mislabelled-canaries', {
      answer: 'Not measured: the sites have no canaries with wrong labels, so nothing is known of users who can only be learnt by heart.',
      next: [simulateWith(subject, 'set sites.audit.canaries.mislabelled to 60', 'canaries')],
    });
  return attacked('mislabelled-canaries', subject, canariesFound);
}

function canariesFound(subject: AttackedSubject): Finding {
  const { canaryAttacks, canarySource, audit, auditSource } = subject;
  const best = strongest(canaryAttacks);
  const tpr = highestTpr(canaryAttacks, 0.01);
  const declared = audit.mislabelled;
  const found = best !== undefined && best.low > 0.5;
  return measured('mislabelled-canaries', {
    answer: found
      ? 'Yes: users whom a model can only learn by heart are found beyond chance, with all attacks counted.'
      : 'Not beyond chance, by the attacks made.',
    figures: [
      ...(declared ? [decimalFigure(`AUC of ${plain(declared.attack)} (declared) on ${declared.members} member and ${declared.heldOut} held-out canaries`, declared.auc, declared, auditSource)] : []),
      ...(best ? [decimalFigure(`AUC of ${plain(best.attack)} on canaries, interval for all ${best.looks} together`, best.auc, best, canarySource)] : []),
      ...(tpr ? [rateFigure(`largest TPR@1% on canaries (${plain(tpr.attack)}, picked)`, tpr.tpr, tpr, canarySource)] : []),
      ...(declared ? [decimalFigure('smallest AUC on canaries noticed four times in five', declared.minimumDetectableAuc, { low: null, high: null }, auditSource)] : []),
    ],
    missing: subject.later?.numShadows ? [] : ['likelihood ratios on canaries, which find most'],
    next: [found ? priceOfPrivacy(subject) : trainShadows(subject)],
  });
}
