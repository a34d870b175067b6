import type { RoundReport } from '../../shared/protocol/report.ts';
import { counted, deltaText, epsilonText, roundNumber, simulationStamp } from '../report/words.ts';
import {
  boundFigure,
  type Finding,
  known,
  provenFigure,
  type Section,
  type Step,
  unmeasured,
} from './finding.ts';
import { canarySourceOf, provenByCanaries } from './proven.ts';
import type { QuestionId } from './questions.ts';
import { commandOn, priceOfPrivacy } from './steps.ts';
import { isRun, type RunSubject, type Subject } from './subject.ts';

/** What is promised in both views, whether this run keeps it, and what canaries prove beside it. */
export function guarantee(subject: Subject): Section {
  const asked = [
    'epsilon-coordinator',
    'epsilon-recipients',
    'promise-of-this-run',
    'epsilon-proven',
  ] as const;
  if (!isRun(subject))
    return {
      id: 'guarantee',
      conclusion: 'None is known: a model file carries no promise.',
      findings: asked.map((question) => ofModelFile(question, subject)),
    };
  return {
    id: 'guarantee',
    conclusion: conclusionOf(subject.run.last),
    findings: [
      promised('epsilon-coordinator', subject),
      promised('epsilon-recipients', subject),
      ofThisRun(subject),
      provenByCanaries(subject),
    ],
  };
}

function ofModelFile(question: QuestionId, subject: Subject): Finding {
  return unmeasured(question, {
    answer:
      'Not known, so none: a model file does not say under which mechanism it was trained, and nothing measured on a model replaces that.',
    next: [
      { ...priceOfPrivacy(subject), do: 'See what a promise would cost when the model is trained again' },
    ],
  });
}

function conclusionOf({ epsilon, alarm, privacy }: RoundReport): string {
  const { coordinator, recipients, delta } = epsilon;
  if (alarm) return 'Broken: canaries prove more than was accounted.';
  if (coordinator === 'infinite' && recipients === 'infinite') return 'None: nothing is promised to anybody.';
  const bounds = `epsilon at most ${epsilonText(coordinator)} against the coordinator and ${epsilonText(recipients)} against model recipients at delta ${deltaText(delta)}, per user, add or remove one`;
  return privacy === simulationStamp
    ? `The mechanism promises ${bounds}; this run does not keep it: ${loudStamp}.`
    : `${bounds.charAt(0).toUpperCase()}${bounds.slice(1)}.`;
}

/** The stamp of a seeded run, said loudly. */
const loudStamp = simulationStamp.toUpperCase();

const views = {
  'epsilon-coordinator': {
    view: 'coordinator',
    who: 'the coordinator, which sees each site’s release of every round',
  },
  'epsilon-recipients': {
    view: 'recipients',
    who: 'whoever sees only the models; sites are such recipients, and know their own noise',
  },
} as const;

const unit =
  'The unit is a user, all records of one person at one site; neighbouring data sets differ by one user, added or removed.';

function promised(question: keyof typeof views, subject: RunSubject): Finding {
  const { last, config } = subject.run;
  const { view, who } = views[question];
  const { delta, rdp, limit } = last.epsilon;
  const epsilon = last.epsilon[view];
  if (epsilon === 'infinite')
    return known(question, {
      answer: `Nothing, against ${who}. Whatever attacks fail to find, a stronger one may.`,
      figures: [boundFigure('epsilon', epsilon, sourceOf(last))],
      next: [priceOfPrivacy(subject)],
    });
  const colluding =
    view === 'recipients'
      ? ` The noise of ${counted(config.colludingSites, 'colluding site')} is left out.`
      : '';
  return known(question, {
    answer: `Differential privacy with at most this epsilon and delta, for all ${counted(last.round + 1, 'round')} together, against ${who}. ${unit}${colluding} Audit users and canaries are outside the promise.`,
    figures: [
      boundFigure('epsilon, upper bound by PLD, nats', epsilon, sourceOf(last)),
      ...(rdp ? [boundFigure('the same by Renyi divergences, looser', rdp[view], sourceOf(last))] : []),
      { what: 'delta', value: delta, low: null, high: null, text: deltaText(delta), source: sourceOf(last) },
      ...(limit !== null && view === 'coordinator'
        ? [boundFigure('limit of the run', limit, 'manifest.json')]
        : []),
    ],
    missing: ['a person known to several sites, unless they link her; families'],
    next: [budgetStep(subject)],
  });
}

function sourceOf(last: RoundReport): string {
  return `accounting in rounds.jsonl, round ${roundNumber(last)}`;
}

/** What this plan costs, to be held against the report. */
function budgetStep(subject: RunSubject): Step {
  const { config, manifest } = subject.run;
  const { protection, rounds } = config;
  if (protection.type !== 'user-dp')
    return {
      do: 'See epsilon round by round',
      command: commandOn(subject, 'report'),
      read: 'docs/banded-noise.md',
    };
  const { epsilon, noiseMultiplier, samplingRate, delta } = protection;
  const given = epsilon === undefined ? `--noise-multiplier ${noiseMultiplier ?? 1}` : `--epsilon ${epsilon}`;
  const plan = `${given} --delta ${deltaText(delta)} --sampling-rate ${samplingRate} --rounds ${rounds} --sites ${manifest.sites.length}`;
  return {
    do: 'Check the arithmetic of the plan, and what fewer rounds would need',
    command: `parley budget ${plan}`,
    read: 'docs/accounting.md',
  };
}

function ofThisRun(subject: RunSubject): Finding {
  const { last } = subject.run;
  if (last.alarm)
    return known('promise-of-this-run', {
      answer: 'NO: canaries prove more than was accounted, so the protection is broken, and the run stopped.',
      figures: last.alarm.map(({ view, bound }) =>
        provenFigure(`epsilon proven against the ${view}`, bound, canarySourceOf(last)),
      ),
      next: [
        {
          do: 'Do not hand the model over; see what broke',
          command: commandOn(subject, 'report'),
          read: 'docs/auditing.md#canaries',
        },
      ],
    });
  const isSimulation = last.privacy === simulationStamp;
  if (last.epsilon.coordinator === 'infinite')
    return known('promise-of-this-run', {
      answer: `There is no promise to keep.${isSimulation ? ` And it is a simulation, which would not keep one: ${loudStamp}.` : ''}`,
      next: [priceOfPrivacy(subject)],
    });
  if (isSimulation)
    return known('promise-of-this-run', {
      answer: `NO. ${loudStamp}. Its randomness comes from a seed, so whoever knows the seed can take the noise away. Epsilon is that of the same mechanism with secure noise; the model must be treated as if nothing protected it.`,
      next: [
        {
          do: 'Train with real sites, whose noise comes from the system',
          command: 'parley coordinator coordinator.yaml',
          read: 'README.md',
        },
      ],
    });
  return known('promise-of-this-run', {
    answer:
      'Yes, as far as is known here: every site drew its noise from the system. Each site’s own ledger counts, not this mirror of it.',
    next: [
      {
        do: 'At each site, check the ledger',
        command: 'parley ledger show client.yaml',
        read: 'docs/ledger.md',
      },
    ],
  });
}
