import { counted, figure, interval, plain } from '../report/words.ts';
import { highestTprFigure, strongestFigure } from './attack-figures.ts';
import { attacksMade } from './attack-needs.ts';
import { type Finding, known, measured, type Step, unmeasured } from './finding.ts';
import { giveTables, priceOfPrivacy, redTeam, simulateWith, trainShadows } from './steps.ts';
import { highestTpr, strongest } from './strongest.ts';
import type { Subject } from './subject.ts';
import { type AttackedSubject, attacked } from './trust.ts';

/** Which attacks had nothing to work on, why, and what would give it to them. */
export function attacksNotMade(subject: Subject): Finding {
  const { audit } = subject;
  if (!audit)
    return unmeasured('attacks-not-made', {
      answer: 'None was made: nobody whose membership is known was given.',
      next: [giveTables(subject)],
    });
  const made = attacksMade(audit).length;
  const { notMeasured } = audit;
  if (notMeasured.length === 0)
    return known('attacks-not-made', {
      answer: `All ${made} that a round can make were made.`,
      next: [trainShadows(subject)],
    });
  return unmeasured('attacks-not-made', {
    answer: `${counted(notMeasured.length, 'attack')} had nothing to work on, beside ${made} that were made. What they would find is not known.`,
    missing: byReason(notMeasured),
    next: [supply(subject, notMeasured)],
  });
}

function byReason(notMeasured: readonly { readonly attack: string; readonly reason: string }[]): string[] {
  const names = new Map<string, string[]>();
  for (const { attack, reason } of notMeasured) names.set(reason, [...(names.get(reason) ?? []), attack]);
  return Array.from(names, ([reason, attacks]) => plain(`${attacks.join(', ')}: ${reason}`));
}

/** What the reasons have in common with settings that would help. */
const supplies: readonly (readonly [RegExp, string])[] = [
  [/reference user|two distinct records/, 'sites.audit.referenceFraction to 0.2'],
  [/referenceModels/, 'federation.audit.referenceModels to models of an earlier run on other people'],
  [/freshFraction/, 'sites.audit.freshFraction to 0.25'],
  [/audit\.places/, 'sites.audit.places to true'],
  [/audit\.attacks/, 'federation.audit.attacks to all'],
];

function supply(subject: Subject, notMeasured: readonly { readonly reason: string }[]): Step {
  if (!subject.run)
    return giveTables(subject, '--reference', 'reference.csv', '--initial', 'initial.safetensors');
  const settings = supplies.flatMap(([pattern, setting]) =>
    notMeasured.some(({ reason }) => pattern.test(reason)) ? [setting] : [],
  );
  if (settings.length === 0) return trainShadows(subject);
  return simulateWith(subject, `set ${settings.join(', ')} (as far as the data allow)`, 'more-attacks');
}

const laterSource = 'audit.json';

/** What likelihood ratios found, if `parley audit --shadows` was run on this model. */
export function shadowFederations(subject: Subject): Finding {
  if (!subject.later?.numShadows)
    return unmeasured('shadow-federations', {
      answer:
        'Likelihood ratios against shadow federations were not measured: the run directory holds no audit of this model with them. They are the yardstick; where there is a leak they find most.',
      next: [trainShadows(subject)],
    });
  return attacked('shadow-federations', subject, ratiosFound);
}

function ratiosFound(subject: AttackedSubject): Finding {
  const { likelihoodRatios = [], numShadows = 0 } = subject.later ?? {};
  const best = strongest(likelihoodRatios);
  if (!best)
    return unmeasured('shadow-federations', {
      answer: 'The shadow federations left nobody to attack.',
      next: [trainShadows(subject)],
    });
  const leaks = best.low > 0.5;
  return measured('shadow-federations', {
    answer: leaks
      ? `With ${numShadows} shadow federations members are found: ${plain(best.attack)} reaches ${figure(best.auc)} ${interval(best)}.`
      : `With ${numShadows} shadow federations nothing is found: the best of ${best.looks} variants covers chance. Few shadows make weak ratios.`,
    figures: [
      ...strongestFigure(best, laterSource),
      ...highestTprFigure(highestTpr(likelihoodRatios, 0.01), laterSource),
    ],
    missing: numShadows < 64 ? ['spreads of one’s own: they need about 64 shadows'] : [],
    next: [leaks ? priceOfPrivacy(subject) : trainShadows(subject)],
  });
}

/** What a site and coordinators found, if `parley audit --red-team` was run on this model. */
export function strongerParties(subject: Subject): Finding {
  if (!subject.later?.redTeam.length)
    return unmeasured('stronger-parties', {
      answer: subject.run
        ? 'Not measured: no attack was made as a site that calibrates on users of its own, nor as a coordinator that reads every release or sends models made to expose somebody.'
        : 'Not measured: who took part in the training of this file is not known.',
      next: [redTeam(subject)],
    });
  return attacked('stronger-parties', subject, partiesFound);
}

function partiesFound(subject: AttackedSubject): Finding {
  const results = subject.later?.redTeam ?? [];
  const roles = [...new Set(results.map(({ role }) => role))];
  const found = roles.map((role) => ({
    role,
    best: strongest(results.filter((result) => result.role === role)),
  }));
  const leaking = found.filter(({ best }) => best && best.low > 0.5).map(({ role }) => role);
  return measured('stronger-parties', {
    answer:
      leaking.length > 0
        ? `Members are found by: ${leaking.join('; ')}.`
        : 'None of the roles tried stands above chance. Each looked at a sample of users only.',
    figures: found.flatMap(({ role, best }) => strongestFigure(best, laterSource, `${role}: `)),
    missing: [...(subject.later?.caveats ?? [])],
    next: [leaking.length > 0 ? priceOfPrivacy(subject) : redTeam(subject)],
  });
}
