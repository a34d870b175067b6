import { counted, figure, interval, measuredTpr, percent, plain, tprName } from '../report/words.ts';
import { highestTprFigure, strongestFigure } from './attack-figures.ts';
import { attacksMade } from './attack-needs.ts';
import { attacksNotMade, shadowFederations, strongerParties } from './beyond.ts';
import { controls } from './controls.ts';
import { decimalFigure, type Figure, type Finding, measured, rateFigure, type Section } from './finding.ts';
import { commandOn, giveTables, priceOfPrivacy, simulateWith, trainShadows } from './steps.ts';
import { highestTpr, type Strongest, strongest } from './strongest.ts';
import type { Subject } from './subject.ts';
import { type AttackedSubject, attacked, failedControl, wasAttacked } from './trust.ts';

/** What attacks find on average, whether that can be trusted, and what was not tried. */
export function leakage(subject: Subject): Section {
  return {
    id: 'leakage',
    conclusion: conclusionOf(subject),
    findings: [
      controls(subject),
      attacked('declared-attack', subject, declaredAttack),
      attacked('strongest-attack', subject, strongestAttack),
      attacksNotMade(subject),
      shadowFederations(subject),
      strongerParties(subject),
    ],
  };
}

function conclusionOf(subject: Subject): string {
  if (!wasAttacked(subject)) return 'Not measured: no users were given to attack it with.';
  const failed = failedControl(subject.audit);
  if (failed !== undefined) return `Void: ${failed}.`;
  const { user, minimumDetectableAuc } = subject.audit;
  const best = best95(subject);
  const most = `the strongest of ${best.looks}, ${plain(best.attack)}, ${figure(best.auc)} ${interval(best)}`;
  const tpr = measuredTpr(user, 0.01);
  const at = tpr ? `, TPR@1% ${percent(tpr.tpr)}` : '';
  const own = `${plain(user.attack)} reaches AUC ${figure(user.auc)} ${interval(user)}${at}`;
  if (user.low > 0.5) return `Members are found: ${own}; ${most}.`;
  if (best.low > 0.5)
    return `The declared attack finds nothing (${own}), but ${most}, which is above chance even though it was picked.`;
  return `Nothing found on average: ${own}; ${most}. That is no proof: an AUC below ${figure(minimumDetectableAuc)} would be missed more often than one time in five, and stronger attackers ${unmade(subject)}.`;
}

function unmade({ later }: Subject): string {
  const [shadows, parties] = [later?.numShadows ?? 0, later?.redTeam.length ?? 0];
  if (shadows > 0 && parties > 0) return 'stand below';
  return shadows > 0 || parties > 0 ? 'were tried in part' : 'were not tried';
}

/** There is always the declared attack. */
function best95({ audit }: AttackedSubject): Strongest {
  const { attack, auc, low, high } = audit.user;
  return strongest(attacksMade(audit)) ?? { attack, auc, low, high, looks: 1 };
}

function declaredAttack(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const { user } = audit;
  const name = plain(user.attack);
  return measured('declared-attack', {
    answer: declaredWords(subject),
    figures: [
      decimalFigure(
        `AUC of ${name} over ${audit.members} members and ${audit.heldOut} held-out users`,
        user.auc,
        user,
        auditSource,
      ),
      ...user.tprAtFpr.flatMap(({ fpr }): Figure[] => {
        const tpr = measuredTpr(user, fpr);
        return tpr ? [rateFigure(`${tprName(fpr)} of ${name}`, tpr.tpr, tpr, auditSource)] : [];
      }),
    ],
    missing: user.tprAtFpr.flatMap((entry) =>
      entry.status === 'not-testable'
        ? [`${tprName(entry.fpr)}: it needs ${entry.nonMembersNeeded} held-out users`]
        : [],
    ),
    next: [user.low > 0.5 ? priceOfPrivacy(subject) : trainShadows(subject)],
  });
}

function declaredWords({ audit: { user } }: AttackedSubject): string {
  if (user.low > 0.5)
    return `It tells users who trained from users who did not: the whole interval lies above chance. This model gives away who is in it.`;
  if (user.high < 0.5)
    return 'The whole interval lies under chance: either chance, or scores whose orientation is wrong, and an attacker who turns them round would profit. Check the attack.';
  return 'The interval covers chance: on average this attack finds nobody. That proves nothing about other attacks, nor about the users easiest to find.';
}

function strongestAttack(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const made = attacksMade(audit);
  const best = best95(subject);
  const tpr = highestTpr(made, 0.01);
  const { combined } = audit;
  const above = made.filter(({ low }) => low > 0.5).length;
  return measured('strongest-attack', {
    answer:
      best.low > 0.5
        ? `${plain(best.attack)} finds most, and stands above chance with all ${counted(made.length, 'attack')} counted. ${above} have intervals of their own above 0.5.`
        : `None of ${counted(made.length, 'attack')} stands above chance once all of them are counted. Taken alone, ${above} have an interval above 0.5; by chance about one in forty has.`,
    figures: [
      ...strongestFigure(best, auditSource),
      ...highestTprFigure(tpr, auditSource),
      ...(combined
        ? [
            decimalFigure(
              'AUC of all attacks combined, on the half not learnt from',
              combined.auc,
              combined,
              auditSource,
            ),
          ]
        : []),
    ],
    missing: [
      ...(tpr ? [] : ['TPR@1%: it needs 100 held-out users']),
      ...(combined ? [] : ['all attacks combined']),
    ],
    next: [
      best.low > 0.5 && subject.run
        ? {
            do: 'Declare this attack before the next run, so that its figures count and may stop it',
            ...simulated(subject, plain(best.attack)),
          }
        : nextOf(subject),
    ],
  });
}

function simulated(subject: Subject, attack: string): { readonly command?: string; readonly read: string } {
  const { command } = simulateWith(subject, `set audit.attack to ${attack}`, 'declared');
  return { ...(command !== undefined && { command }), read: 'docs/auditing.md#acting-on-an-audit' };
}

function nextOf(subject: Subject): { readonly do: string; readonly command: string } {
  return {
    do: 'Attack the model once more, and keep all figures',
    command: subject.run ? commandOn(subject, 'audit') : (giveTables(subject).command ?? ''),
  };
}
