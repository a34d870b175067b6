import { bestRound } from '../report/run.ts';
import { figure, interval, roundNumber } from '../report/words.ts';
import { decimalFigure, type Finding, measured, type Section, unmeasured } from './finding.ts';
import { type Gap, type Overfitting, overfittingOf } from './gaps.ts';
import type { QuestionId } from './questions.ts';
import type { Reliability } from './reliability.ts';
import { assessAgain, commandOn, giveTables, priceOfPrivacy, simulateWith } from './steps.ts';
import type { Subject } from './subject.ts';

/** How much better the model does on those who trained it: the leak that needs no attack. */
export function overfitting(subject: Subject): Section {
  const found = subject.evidence ? overfittingOf(subject.evidence) : undefined;
  const asked = ['loss-gap', 'accuracy-gap', 'gap-over-rounds', 'calibration'] as const;
  if (!found)
    return {
      id: 'overfitting',
      conclusion: 'Not measured: there are no signals of users who trained and of users who did not.',
      findings: asked.map((question) => withoutSignals(question, subject)),
    };
  return {
    id: 'overfitting',
    conclusion: conclusionOf(found),
    findings: [
      lossGap(subject, found),
      accuracyGap(subject, found),
      gapOverRounds(subject, found),
      calibration(subject, found),
    ],
  };
}

function withoutSignals(question: QuestionId, subject: Subject): Finding {
  return unmeasured(question, {
    answer: subject.run
      ? 'Not measured: the directory has no coordinator.sqlite with the signals of audit users, or none of both roles.'
      : 'Not measured: nobody whose membership is known was given.',
    next: [
      subject.run
        ? simulateWith(subject, 'keep the whole run directory and set sites.audit.fraction above 0', 'with-signals')
        : giveTables(subject),
    ],
  });
}

function conclusionOf({ loss, accuracy, calibration: { heldOut } }: Overfitting): string {
  const nats = `held-out users lose ${signed(loss)} nats more than members, accuracy differs by ${signed(accuracy)}`;
  const sure = overconfident(heldOut)
    ? `; it is too sure of strangers by ${figure(heldOut.overconfidence.mean)}`
    : '';
  if (isAbove(loss)) return `Overfitted: ${nats}${sure}.`;
  return isAbove(accuracy)
    ? `The loss shows no gap, the accuracy does: ${nats}${sure}.`
    : `No gap shown: ${nats}${sure}.`;
}

function signed({ gap: { mean, low, high } }: Gap): string {
  return `${figure(mean)}${low === null || high === null ? '' : ` ${interval({ low, high })}`}`;
}

function isAbove({ gap: { low } }: Gap): boolean {
  return low !== null && low > 0;
}

function overconfident({ overconfidence: { low } }: Reliability): boolean {
  return low !== null && low > 0;
}

/** Where signals of audit users come from. */
function sourceOf(subject: Subject): string {
  return subject.run
    ? `signals in coordinator.sqlite, round ${roundNumber(subject.run.last)}`
    : 'answers to the records of the tables';
}

const none = { low: null, high: null };

function lossGap(subject: Subject, { loss, initialLoss, members, heldOut }: Overfitting): Finding {
  const source = sourceOf(subject);
  return measured('loss-gap', {
    answer: isAbove(loss)
      ? 'Users who trained have a smaller loss than users who did not, beyond chance: an attacker who looks at the loss has something to see.'
      : 'The interval covers no gap. Single users may still be known by heart.',
    figures: [
      decimalFigure('mean loss of held-out users less that of members, nats', loss.gap.mean, loss.gap, source),
      decimalFigure(`mean loss of ${members} members, nats`, loss.members, none, source),
      decimalFigure(`mean loss of ${heldOut} held-out users, nats`, loss.heldOut, none, source),
      ...(subject.run
        ? [
            decimalFigure(
              'the same gap before training, where only chance is, nats',
              initialLoss.gap.mean,
              initialLoss.gap,
              'signals in coordinator.sqlite, initial model',
            ),
          ]
        : []),
    ],
    next: [isAbove(loss) ? fewerSteps(subject) : assessAgain(subject, 'Look again when the model has trained on')],
  });
}

function fewerSteps(subject: Subject): { readonly do: string; readonly command?: string } {
  if (!subject.run) return priceOfPrivacy(subject);
  const { rounds, local } = subject.run.config;
  return simulateWith(
    subject,
    `train less (federation.rounds below ${rounds}, local.epochs below ${local.epochs}, local.l2 above ${local.l2}, or earlyStopping)`,
    'less-training',
  );
}

function accuracyGap(subject: Subject, { accuracy }: Overfitting): Finding {
  const source = sourceOf(subject);
  return measured('accuracy-gap', {
    answer: isAbove(accuracy)
      ? 'It answers correctly for users who trained more often than for others. What it is worth is the second figure, never the first.'
      : 'The interval covers no difference.',
    figures: [
      decimalFigure('accuracy on members less that on held-out users', accuracy.gap.mean, accuracy.gap, source),
      decimalFigure('accuracy on members, each user once', accuracy.members, none, source),
      decimalFigure('accuracy on held-out users, each user once', accuracy.heldOut, none, source),
    ],
    next: [
      isAbove(accuracy)
        ? fewerSteps(subject)
        : assessAgain(subject, 'Look again when the model has trained on'),
    ],
  });
}

function gapOverRounds(subject: Subject, { course }: Overfitting): Finding {
  const [first, last] = [course[0], course.at(-1)];
  if (!subject.run || !first || !last)
    return unmeasured('gap-over-rounds', {
      answer: 'Not measured: only one model is known, so there are no rounds to look over.',
      next: [
        {
          do: 'Simulate the training under Parley: every round is then attacked and kept',
          command: 'parley simulate scenarios/catalog/four-hospitals.yaml',
        },
      ],
    });
  const { reports } = subject.run;
  const opened = course.findIndex((_, round) => course.slice(round).every(isAbove));
  const best = bestRound(reports);
  const source = 'mean losses of audit users after every round, coordinator.sqlite';
  return measured('gap-over-rounds', {
    answer:
      (opened < 0
        ? `At the end of ${course.length} rounds the interval covers no gap; it lay above 0 in ${course.filter(isAbove).length} of them.`
        : `From round ${opened + 1} of ${course.length} on the interval stays above 0.`) +
      (best ? ` Utility was best in round ${roundNumber(best)}, which was picked with the test data.` : ''),
    figures: [
      decimalFigure('loss gap after round 1, nats', first.gap.mean, first.gap, source),
      decimalFigure(`loss gap after round ${course.length}, nats`, last.gap.mean, last.gap, source),
    ],
    next: [
      opened < 0
        ? { do: 'See utility and attack round by round', command: commandOn(subject, 'report') }
        : simulateWith(subject, `set federation.rounds to ${Math.max(1, opened)}, before the gap opened`, 'fewer-rounds'),
    ],
  });
}

function calibration(subject: Subject, { calibration: { members, heldOut } }: Overfitting): Finding {
  const source = sourceOf(subject);
  const [own, others] = [members.overconfidence, heldOut.overconfidence];
  return measured('calibration', {
    answer: `${sureness(heldOut, 'strangers')} ${sureness(members, 'users who trained')} A model that is surer of those it has seen gives them away by its probabilities.`,
    figures: [
      decimalFigure('confidence less accuracy on held-out users', others.mean, others, source),
      decimalFigure('confidence less accuracy on members', own.mean, own, source),
      decimalFigure(
        `expected calibration error on ${heldOut.records} records of held-out users, ${heldOut.bins} bins (chance alone: ${figure(heldOut.errorByChance)})`,
        heldOut.expectedError,
        none,
        source,
      ),
      decimalFigure(
        `expected calibration error on ${members.records} records of members, ${members.bins} bins (chance alone: ${figure(members.errorByChance)})`,
        members.expectedError,
        none,
        source,
      ),
    ],
    missing: ['calibration of single classes and groups'],
    next: [
      overconfident(heldOut)
        ? fewerSteps(subject)
        : assessAgain(subject, 'Look again when the model has trained on'),
    ],
  });
}

function sureness({ overconfidence: { low, high } }: Reliability, whom: string): string {
  if (low === null || high === null) return `Of ${whom} too little is known.`;
  if (low > 0) return `It is too sure of ${whom}.`;
  return high < 0 ? `It is less sure of ${whom} than it is right.` : `Of ${whom} it is as sure as it is right, within the interval.`;
}
