import { counted } from '../report/words.ts';
import { attacksMade, attacksNeeding, type Need } from './attack-needs.ts';
import { countFigure, type Finding, known, type Section, unmeasured } from './finding.ts';
import { commandOn, giveTables, redTeam } from './steps.ts';
import { isRun, type RunSubject, type Subject } from './subject.ts';

/** Who sees what of the model, and which of the attacks made speak for whom. */
export function threatModel(subject: Subject): Section {
  return {
    id: 'threat-model',
    conclusion: conclusionOf(subject),
    findings: [isRun(subject) ? seenInRun(subject) : seenOfModel(subject), attacksThatFit(subject)],
  };
}

function conclusionOf(subject: Subject): string {
  if (!isRun(subject))
    return 'Whoever holds this file has the whole model; who saw what during its training, the file does not say.';
  const sites = counted(subject.run.manifest.sites.length, 'site');
  const stronger = subject.later?.redTeam.length
    ? 'attacks as parties that see more were made too'
    : 'no attack was made as a party that sees more';
  return `The ${sites} and every recipient have the models themselves, so nothing done to answers protects against them; ${stronger}.`;
}

function seenInRun(subject: RunSubject): Finding {
  const { manifest, config } = subject.run;
  const release = config.protection.type === 'none' ? 'un-noised sum' : 'noised sum';
  const another = config.averaging ? 'an average of models' : 'a student of the models';
  const handedOver =
    config.averaging || config.distillation
      ? ` What is handed over is ${another}; the sites see every round’s own model too, which was not attacked.`
      : '';
  return known('who-sees-what', {
    answer:
      `Sites: the model of every round. Model recipients: the finished model, and those of all rounds if they are sites or were given them. ` +
      `Coordinator: each site’s ${release} of every round (mode local, no secure aggregation). ` +
      `Callers of the finished model: its answers, and nothing else.${handedOver}`,
    figures: [countFigure('sites that have every round’s model', manifest.sites.length, 'manifest.json')],
    next: [
      {
        do: 'Check that these are the parties that you mean, and which sites took part',
        command: commandOn(subject, 'report'),
        read: 'docs/privacy.md#two-adversaries',
      },
    ],
  });
}

function seenOfModel(subject: Subject): Finding {
  return unmeasured('who-sees-what', {
    answer:
      'Whoever holds this file has the whole model. Who saw updates or earlier models during training, under which protection, and who has a copy, the file does not say.',
    missing: ['how it was trained, and who took part', ...subject.caveats],
    next: [
      {
        do: 'If it is of a run of Parley, assess the run directory instead: it holds plans, epsilon and every round',
        command: 'parley assess runs/four-hospitals',
      },
    ],
  });
}

const needed: Readonly<Record<Need, string>> = {
  answers: 'that need answers of the finished model only: sites, recipients and callers',
  'another-model':
    'that need another model to compare with: sites, and others who have the initial or a public model',
  'all-rounds': 'that need the models of all rounds: sites',
  'hidden-layer': 'that look into the hidden layer: sites and recipients, not callers',
};

function attacksThatFit(subject: Subject): Finding {
  const { audit, later, auditSource } = subject;
  if (!audit)
    return unmeasured('attacks-that-fit', {
      answer: 'No attack was made: nobody whose membership is known was given.',
      next: [giveTables(subject)],
    });
  const made = attacksMade(audit);
  const figures = Object.entries(needed).map(([need, words]) =>
    // The cast says what Object.entries does not: the keys of this constant table are its type's keys.
    countFigure(`attacks made ${words}`, attacksNeeding(made, need as Need).length, auditSource),
  );
  const releases = later?.redTeam.length
    ? ' Parties that see releases were attacked as (below).'
    : ' For the coordinator, which sees releases, no attack was made.';
  return known('attacks-that-fit', {
    answer: `Of ${counted(made.length, 'attack')} made, all fit a site; a caller can make those from answers alone.${subject.run ? releases : ''}`,
    figures,
    missing: [
      ...(subject.run && !later?.redTeam.length ? ['attacks by parties that see releases'] : []),
      'attacks by callers who get labels only',
    ],
    next: [subject.run ? redTeam(subject) : giveTables(subject, '--initial', 'initial.safetensors')],
  });
}
