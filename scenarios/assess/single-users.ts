import type { MislabelledStratum } from '../../shared/protocol/audit-report.ts';
import { counted, countText, percent, plain, pText } from '../report/words.ts';
import { highestTprFigure, noRange, strongestFigure, topPercentileFigure } from './attack-figures.ts';
import { countFigure, decimalFigure, type Figure, type Finding, measured, unmeasured } from './finding.ts';
import { commandOn, giveTables, priceOfPrivacy, simulateWith, trainShadows } from './steps.ts';
import { highestTpr, strongest } from './strongest.ts';
import type { Subject } from './subject.ts';
import { type AttackedSubject, attacked } from './trust.ts';

/** The users whom the declared attack accuses first. */
export function vulnerableUsers(subject: Subject): Finding {
  return attacked('vulnerable-users', subject, usersFound);
}

function usersFound(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const { vulnerable } = audit;
  if (!vulnerable)
    return unmeasured('vulnerable-users', {
      answer: 'Not measured: the reports are from before single users were tested.',
      next: [{ do: 'Attack the newest model again', command: commandOn(subject, 'audit') }],
    });
  const { tested, flagged, flaggedMembers, falseDiscoveryRate, users } = vulnerable;
  const [first] = users;
  const figures: Figure[] = [
    countFigure(
      `users accused, of ${countText(tested)}, at a false discovery rate of ${percent(falseDiscoveryRate)}`,
      flagged,
      auditSource,
    ),
    countFigure('of them members', flaggedMembers, auditSource),
    ...topPercentileFigure(vulnerable, auditSource),
  ];
  const named = first
    ? ` First in line: ${plain(first.user)} (${first.groups.map(plain).join(', ')}), ${pText(first.pValue)} alone.`
    : '';
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

/** The canaries with wrong labels. */
export function mislabelledCanaries(subject: Subject): Finding {
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
      answer:
        'Not measured: the sites have no canaries with wrong labels, so nothing is known of users who can only be learnt by heart.',
      next: [simulateWith(subject, 'set sites.audit.canaries.mislabelled to 60', 'canaries')],
    });
  return attacked('mislabelled-canaries', subject, canariesFound);
}

function canariesFound(subject: AttackedSubject): Finding {
  const { canaryAttacks, canarySource, audit, auditSource } = subject;
  const best = strongest(canaryAttacks);
  const found = best !== undefined && best.low > 0.5;
  return measured('mislabelled-canaries', {
    answer: found
      ? 'Yes: users whom a model can only learn by heart are found beyond chance, with all attacks counted.'
      : 'Not beyond chance, by the attacks made.',
    figures: [
      ...declaredFigures(audit.mislabelled, auditSource),
      ...strongestFigure(best, canarySource, 'canaries: '),
      ...highestTprFigure(highestTpr(canaryAttacks, 0.01), canarySource, 'canaries: '),
    ],
    missing: subject.later?.numShadows ? [] : ['likelihood ratios on canaries, which find most'],
    next: [found ? priceOfPrivacy(subject) : trainShadows(subject)],
  });
}

function declaredFigures(declared: MislabelledStratum | undefined, source: string): Figure[] {
  if (!declared) return [];
  const { members, heldOut, attack, minimumDetectableAuc: least } = declared;
  const what = `AUC of ${plain(attack)} (declared) on ${members} member and ${heldOut} held-out canaries`;
  return [
    decimalFigure(what, declared.auc, declared, source),
    decimalFigure('smallest AUC on canaries noticed four times in five', least, noRange, source),
  ];
}
