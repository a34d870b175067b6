import { figure } from '../report/words.ts';
import { noRange } from './attack-figures.ts';
import { decimalFigure, type Finding, measured } from './finding.ts';
import type { Overfitting } from './gaps.ts';
import type { Reliability } from './reliability.ts';
import { assessAgain, trainLess } from './steps.ts';
import { type Subject, signalSource } from './subject.ts';

/** Whether confidence is accuracy, for users who trained and for others. */
export function calibration(subject: Subject, { calibration: { members, heldOut } }: Overfitting): Finding {
  const source = signalSource(subject);
  const [own, others] = [members.overconfidence, heldOut.overconfidence];
  return measured('calibration', {
    answer: `${sureness(heldOut, 'strangers')} ${sureness(members, 'users who trained')}`,
    figures: [
      decimalFigure('confidence less accuracy on held-out users', others.mean, others, source),
      decimalFigure('confidence less accuracy on members', own.mean, own, source),
      decimalFigure(
        `expected calibration error on ${heldOut.records} records of held-out users, ${heldOut.bins} bins (chance alone: ${figure(heldOut.errorByChance)})`,
        heldOut.expectedError,
        noRange,
        source,
      ),
      decimalFigure(
        `expected calibration error on ${members.records} records of members, ${members.bins} bins (chance alone: ${figure(members.errorByChance)})`,
        members.expectedError,
        noRange,
        source,
      ),
    ],
    missing: ['calibration of single classes and groups'],
    next: [
      isTooSure(heldOut)
        ? trainLess(subject)
        : assessAgain(subject, 'Look again when the model has trained on'),
    ],
  });
}

function sureness({ overconfidence: { low, high } }: Reliability, whom: string): string {
  if (low === null || high === null) return `Of ${whom} too little is known.`;
  if (low > 0) return `It is too sure of ${whom}.`;
  return high < 0
    ? `It is less sure of ${whom} than it is right.`
    : `Of ${whom} it is as sure as it is right, within the interval.`;
}

/** Whether confidence lies above accuracy beyond chance. */
export function isTooSure({ overconfidence: { low } }: Reliability): boolean {
  return low !== null && low > 0;
}
