import { bestRound } from '../report/run.ts';
import { figure, interval, roundNumber } from '../report/words.ts';
import { noRange } from './attack-figures.ts';
import { calibration, isTooSure } from './calibration.ts';
import { decimalFigure, type Finding, measured, type Section, unmeasured } from './finding.ts';
import { type Gap, type Overfitting, overfittingOf } from './gaps.ts';
import type { QuestionId } from './questions.ts';
import { assessAgain, commandOn, giveTables, simulateWith, trainLess } from './steps.ts';
import { type Subject, signalSource } from './subject.ts';

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
        ? simulateWith(
            subject,
            'keep the whole run directory and set sites.audit.fraction above 0',
            'with-signals',
          )
        : giveTables(subject),
    ],
  });
}

function conclusionOf({ loss, accuracy, calibration: { heldOut } }: Overfitting): string {
  const nats = `held-out users lose ${signed(loss)} nats more than members (${figure(loss.heldOut)} against ${figure(loss.members)}), accuracy differs by ${signed(accuracy)}`;
  const sure = isTooSure(heldOut)
    ? `; it is too sure of strangers by ${figure(heldOut.overconfidence.mean)}`
    : '';
  if (isAbove(loss)) return `There is a gap: ${nats}${sure}.`;
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

function lossGap(subject: Subject, { loss, initialLoss, members, heldOut }: Overfitting): Finding {
  const source = signalSource(subject);
  return measured('loss-gap', {
    answer: isAbove(loss)
      ? 'Users who trained have a smaller loss than users who did not, beyond chance: an attacker who looks at the loss has something to see.'
      : 'The interval covers no gap. Single users may still be known by heart.',
    figures: [
      decimalFigure(
        'mean loss of held-out users less that of members, nats',
        loss.gap.mean,
        loss.gap,
        source,
      ),
      decimalFigure(`mean loss of ${members} members, nats`, loss.members, noRange, source),
      decimalFigure(`mean loss of ${heldOut} held-out users, nats`, loss.heldOut, noRange, source),
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
    next: [
      isAbove(loss) ? trainLess(subject) : assessAgain(subject, 'Look again when the model has trained on'),
    ],
  });
}

function accuracyGap(subject: Subject, { accuracy }: Overfitting): Finding {
  const source = signalSource(subject);
  return measured('accuracy-gap', {
    answer: isAbove(accuracy)
      ? 'It answers correctly for users who trained more often than for others. What it is worth is the second figure, never the first.'
      : 'The interval covers no difference.',
    figures: [
      decimalFigure(
        'accuracy on members less that on held-out users',
        accuracy.gap.mean,
        accuracy.gap,
        source,
      ),
      decimalFigure('accuracy on members, each user once', accuracy.members, noRange, source),
      decimalFigure('accuracy on held-out users, each user once', accuracy.heldOut, noRange, source),
    ],
    next: [
      isAbove(accuracy)
        ? trainLess(subject)
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
        : simulateWith(
            subject,
            `set federation.rounds to ${fewerRounds(opened, best && roundNumber(best))}`,
            'fewer-rounds',
          ),
    ],
  });
}

/** `opened` counts rounds before the gap; `best` is the number of the best one. */
function fewerRounds(opened: number, best: number | undefined): string {
  const before = Math.max(1, opened);
  return best === undefined || best <= before
    ? `${before}, before the gap`
    : `between ${before}, before the gap, and ${best}, where utility was best`;
}
