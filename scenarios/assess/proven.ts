import type { CanaryView } from '../../shared/protocol/canary-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { counted, epsilonText, provenText, roundNumber } from '../report/words.ts';
import { decimalFigure, type Figure, type Finding, measured, provenFigure, unmeasured } from './finding.ts';
import { priceOfPrivacy, simulateWith } from './steps.ts';
import type { RunSubject } from './subject.ts';

/** Where figures of canaries come from. */
export function canarySourceOf(last: RoundReport): string {
  return `canaries in rounds.jsonl, round ${roundNumber(last)}`;
}

/** What the random-direction canaries prove, beside what was accounted. */
export function provenByCanaries(subject: RunSubject): Finding {
  const { last } = subject.run;
  const { canaries } = last;
  if (canaries?.status !== 'measured' && last.epsilon.coordinator === 'infinite')
    return unmeasured(
      'epsilon-proven',
      {
        answer: 'Nothing is promised, so there is no epsilon that canaries could refute.',
        next: [priceOfPrivacy(subject)],
      },
      'not-applicable',
    );
  if (canaries?.status !== 'measured')
    return unmeasured('epsilon-proven', {
      answer: `No lower bound: ${canaries?.reason ?? 'the reports are from before canaries'}. Epsilon rests on the mechanism working as described.`,
      next: [
        simulateWith(
          subject,
          'set sites.audit.canaries.directions to one percent of the users, 100 in all for a bound near 3',
          'direction-canaries',
        ),
      ],
    });
  const source = canarySourceOf(last);
  const { coordinator, recipients, members, heldOut } = canaries;
  return measured('epsilon-proven', {
    answer: `${counted(members + heldOut, 'canary', 'canaries')} prove at least ${provenText(coordinator.bound.epsilon)} against the coordinator and ${provenText(recipients.bound.epsilon)} against recipients; accounted are ${epsilonText(last.epsilon.coordinator)} and ${epsilonText(last.epsilon.recipients)}. What is proven must stay below; that it is small proves nothing.`,
    figures: [
      ...figuresOfView('coordinator', coordinator, source),
      ...figuresOfView('recipients', recipients, source),
    ],
    missing: [coordinator, recipients].flatMap(({ runEstimate }) =>
      runEstimate.status === 'measured' ? [] : [`an estimate: ${runEstimate.reason}`],
    ),
    next: [
      last.epsilon.coordinator === 'infinite'
        ? priceOfPrivacy(subject)
        : simulateWith(
            subject,
            'add sites.audit.canaries.directions and seeds; canaries of many runs prove more together',
            'more-canaries',
          ),
    ],
  });
}

function figuresOfView(view: string, { bound, runEstimate }: CanaryView, source: string): Figure[] {
  return [
    provenFigure(
      `epsilon proven against the ${view}, confidence ${bound.confidence.toFixed(3)}`,
      bound.epsilon,
      source,
    ),
    ...(runEstimate.status === 'measured'
      ? [
          decimalFigure(
            `epsilon estimated against the ${view}, no bound`,
            runEstimate.epsilon,
            runEstimate,
            source,
          ),
        ]
      : []),
  ];
}
