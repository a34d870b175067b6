import type { CanaryView } from '../../shared/protocol/canary-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { counted, deltaText, epsilonText, provenText, roundNumber, simulationStamp } from '../report/words.ts';
import { boundFigure, decimalFigure, type Figure, type Finding, known, measured, provenFigure, type Section, unmeasured } from './finding.ts';
import type { QuestionId } from './questions.ts';
import { commandOn, priceOfPrivacy, simulateWith } from './steps.ts';
import { isRun, type RunSubject, type Subject } from './subject.ts';

/** What is promised in both views, whether this run keeps it, and what canaries prove beside it. */
export function guarantee(subject: Subject): Section {
  const asked = ['epsilon-coordinator', 'epsilon-recipients', 'promise-of-this-run', 'epsilon-proven'] as const;
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
      proven(subject),
    ],
  };
}

function ofModelFile(question: QuestionId, subject: Subject): Finding {
  return unmeasured(question, {
    answer: 'Not known, so none: a model file does not say under which mechanism it was trained, and nothing measured on a model replaces that.',
    next: [{ ...priceOfPrivacy(subject), do: 'See what a promise would cost when the model is trained again' }],
  });
}

function conclusionOf({ epsilon, alarm, privacy }: RoundReport): string {
  const { coordinator, recipients, delta } = epsilon;
  if (alarm) return 'Broken: canaries prove more than was accounted.';
  if (coordinator === 'infinite' && recipients === 'infinite') return 'None: nothing is promised to anybody.';
  const bounds = `epsilon at most ${epsilonText(coordinator)} against the coordinator and ${epsilonText(recipients)} against model recipients at delta ${deltaText(delta)}, per user, add or remove one`;
  return privacy === simulationStamp
    ? `The mechanism promises ${bounds}; this run does not keep it: ${simulationStamp.toUpperCase()}.`
    : `${bounds.charAt(0).toUpperCase()}${bounds.slice(1)}.`;
}

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

const unit = 'The unit is a user, all records of one person at one site; neighbouring data sets differ by one user, added or removed.';

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
  const colluding = view === 'recipients' ? ` ${counted(config.colludingSites, 'site')} may collude.` : '';
  return known(question, {
    answer: `At most this epsilon with probability 1 - delta over all ${counted(last.round + 1, 'round')}, against ${who}. ${unit}${colluding} Audit users and canaries are outside the promise.`,
    figures: [
      boundFigure('epsilon, upper bound by PLD, nats', epsilon, sourceOf(last)),
      ...(rdp ? [boundFigure('the same by Renyi divergences, looser', rdp[view], sourceOf(last))] : []),
      { what: 'delta', value: delta, low: null, high: null, text: deltaText(delta), source: sourceOf(last) },
      ...(limit !== null && view === 'coordinator' ? [boundFigure('limit of the run', limit, 'manifest.json')] : []),
    ],
    missing: ['a person known to several sites, unless they link her; families'],
    next: [budgetStep(subject)],
  });
}

function sourceOf(last: RoundReport): string {
  return `accounting in rounds.jsonl, round ${roundNumber(last)}`;
}

/** What this plan costs, to be held against the report. */
function budgetStep(subject: RunSubject): { readonly do: string; readonly command: string; readonly read: string } {
  const { config, manifest, last } = subject.run;
  const { protection, rounds } = config;
  const rate = 'samplingRate' in protection ? protection.samplingRate : 1;
  const plan = `--epsilon ${last.epsilon.limit ?? 3} --delta ${last.epsilon.delta} --sampling-rate ${rate} --rounds ${rounds} --sites ${manifest.sites.length}`;
  return {
    do: 'Check the arithmetic of such a plan, and what fewer rounds or a smaller epsilon would need',
    command: `parley budget ${plan}`,
    read: 'docs/accounting.md',
  };
}

function ofThisRun(subject: RunSubject): Finding {
  const { last } = subject.run;
  if (last.alarm)
    return known('promise-of-this-run', {
      answer: 'NO: canaries prove more than was accounted, so the protection is broken, and the run stopped.',
      figures: last.alarm.map(({ view, bound }) => provenFigure(`epsilon proven against the ${view}`, bound, canarySourceOf(last))),
      next: [{ do: 'Do not hand the model over; see what broke', command: commandOn(subject, 'report'), read: 'docs/auditing.md#canaries' }],
    });
  if (last.privacy === simulationStamp)
    return known('promise-of-this-run', {
      answer: `NO: ${simulationStamp.toUpperCase()}. Its randomness comes from a seed, so whoever knows the seed can take the noise away. Epsilon is that of the same mechanism with secure noise; the model must be treated as if nothing protected it.`,
      next: [{ do: 'Train with real sites, whose noise comes from the system', command: 'parley coordinator coordinator.yaml', read: 'README.md' }],
    });
  const promise = last.epsilon.coordinator !== 'infinite';
  return known('promise-of-this-run', {
    answer: promise
      ? 'Yes, as far as is known here: every site drew its noise from the system. Each site’s own ledger counts, not this mirror of it.'
      : 'There is no promise to keep.',
    next: promise
      ? [{ do: 'At each site, check the ledger', command: 'parley ledger show client.yaml', read: 'docs/ledger.md' }]
      : [priceOfPrivacy(subject)],
  });
}

function canarySourceOf(last: RoundReport): string {
  return `canaries in rounds.jsonl, round ${roundNumber(last)}`;
}

function proven(subject: RunSubject): Finding {
  const { last } = subject.run;
  const { canaries } = last;
  if (canaries?.status !== 'measured')
    return unmeasured('epsilon-proven', {
      answer: `No lower bound: ${canaries?.reason ?? 'the reports are from before canaries'}. Epsilon rests on the mechanism working as described.`,
      next: [simulateWith(subject, 'set sites.audit.canaries.directions to one percent of the users, 100 in all for a bound near 3', 'direction-canaries')],
    });
  const source = canarySourceOf(last);
  const { coordinator, recipients, members, heldOut } = canaries;
  return measured('epsilon-proven', {
    answer: `${counted(members + heldOut, 'canary', 'canaries')} prove at least ${provenText(coordinator.bound.epsilon)} against the coordinator and ${provenText(recipients.bound.epsilon)} against recipients; accounted are ${epsilonText(last.epsilon.coordinator)} and ${epsilonText(last.epsilon.recipients)}. What is proven must stay below; that it is small proves nothing.`,
    figures: [...figuresOfView('coordinator', coordinator, source), ...figuresOfView('recipients', recipients, source)],
    missing: [coordinator, recipients].flatMap(({ runEstimate }) =>
      runEstimate.status === 'measured' ? [] : [`an estimate: ${runEstimate.reason}`],
    ),
    next: [
      last.epsilon.coordinator === 'infinite'
        ? priceOfPrivacy(subject)
        : simulateWith(subject, 'add sites.audit.canaries.directions and seeds; canaries of many runs prove more together', 'more-canaries'),
    ],
  });
}

function figuresOfView(view: string, { bound, runEstimate }: CanaryView, source: string): Figure[] {
  return [
    provenFigure(`epsilon proven against the ${view}, confidence ${bound.confidence.toFixed(3)}`, bound.epsilon, source),
    ...(runEstimate.status === 'measured'
      ? [decimalFigure(`epsilon estimated against the ${view}, no bound`, runEstimate.epsilon, runEstimate, source)]
      : []),
  ];
}
