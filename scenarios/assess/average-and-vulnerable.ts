import { figure, interval } from '../report/words.ts';
import { highestTprFigure, strongestFigure, topPercentileFigure } from './attack-figures.ts';
import { attacksMade } from './attack-needs.ts';
import { type Finding, measured, unmeasured } from './finding.ts';
import { priceOfPrivacy, simulateWith } from './steps.ts';
import { highestTpr, type Strongest, strongest } from './strongest.ts';
import { defencesOf, type RunSubject } from './subject.ts';
import { type AttackedSubject, attacked } from './trust.ts';

/** Those easiest to find beside the average, which is what an empirical defence works on. */
export function averageAndVulnerable(subject: RunSubject): Finding {
  if (defencesOf(subject.run).length === 0)
    return unmeasured(
      'average-and-vulnerable',
      {
        answer:
          'No empirical defence is in use whose average could hide somebody; groups and single users stand under slices.',
        next: [{ do: 'Read why averages hide people', read: 'docs/auditing.md#how-to-read-the-figures' }],
      },
      'not-applicable',
    );
  return attacked('average-and-vulnerable', subject, besideEachOther);
}

function besideEachOther(subject: AttackedSubject): Finding {
  const { audit, auditSource, canaryAttacks, canarySource } = subject;
  const made = attacksMade(audit);
  const [people, canaries] = [strongest(made), strongest(canaryAttacks)];
  return measured('average-and-vulnerable', {
    answer: fareWords(people, canaries),
    figures: [
      ...strongestFigure(people, auditSource, 'average: '),
      ...highestTprFigure(highestTpr(made, 0.01), auditSource, 'people: '),
      ...topPercentileFigure(audit.vulnerable, auditSource),
      ...strongestFigure(canaries, canarySource, 'canaries with wrong labels: '),
      ...highestTprFigure(highestTpr(canaryAttacks, 0.01), canarySource, 'canaries with wrong labels: '),
    ],
    missing: canaries ? [] : ['those easiest to find: the sites have no canaries with wrong labels'],
    next: [
      canaries
        ? priceOfPrivacy(subject)
        : simulateWith(subject, 'set sites.audit.canaries.mislabelled to 60', 'canaries'),
    ],
  });
}

function fareWords(people: Strongest | undefined, canaries: Strongest | undefined): string {
  if (!canaries)
    return 'Not known for those easiest to find. The largest scores say little: a defence that holds averages down is judged on users who can only be learnt by heart.';
  const found = `canaries with wrong labels are found (AUC ${figure(canaries.auc)} ${interval(canaries)})`;
  if (canaries.low <= 0.5)
    return 'Canaries with wrong labels are not found beyond chance by the attacks made; stronger ones may find them.';
  return people && people.low > 0.5
    ? `The average is found, and so are those easiest to find: ${found}.`
    : `No: the average is at chance, but ${found}. The average hides them.`;
}
