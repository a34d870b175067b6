import { counted, figure } from '../report/words.ts';
import { noRange } from './attack-figures.ts';
import { decimalFigure, type Finding, measured, type Step } from './finding.ts';
import { giveTables, quoted, simulateWith } from './steps.ts';
import type { Subject } from './subject.ts';
import { failedControl, notAttacked, wasAttacked } from './trust.ts';

/** Whether both controls of the audit passed, here and in every round. */
export function controls(subject: Subject): Finding {
  // A failed control is itself measured: what it voids are the answers below.
  if (!wasAttacked(subject)) return notAttacked('controls', subject);
  const { audit, auditSource, run } = subject;
  const { negativeControl: negative, positiveControl: positive } = audit;
  const failed = failedControl(audit);
  const voided = run?.reports.filter((report) => failedControl(report.audit) !== undefined).length ?? 0;
  const earlier = run ? ` A control failed in ${voided} of ${counted(run.reports.length, 'round')}.` : '';
  return measured('controls', {
    answer:
      failed === undefined
        ? `Yes: with permuted labels nothing is found${positive ? ', and a leak put into the scores is' : ''}.${earlier}`
        : `No: ${failed}.${earlier}`,
    figures: [
      decimalFigure('AUC with permuted labels, chance 0.5', negative.auc, negative, auditSource),
      ...(positive
        ? [
            decimalFigure(
              `AUC of a planted leak of ${figure(positive.plantedAuc)}`,
              positive.auc,
              positive,
              auditSource,
            ),
          ]
        : []),
      decimalFigure(
        'smallest AUC noticed four times in five',
        audit.minimumDetectableAuc,
        noRange,
        auditSource,
      ),
    ],
    missing: [
      ...(positive ? [] : ['the positive control, which needs six users on a side']),
      ...(isUnprotected(subject)
        ? []
        : ['that a model which leaks is caught: this takes a run without protection on the same users']),
      ...subject.caveats,
    ],
    next: [anotherControl(subject)],
  });
}

/** Whether this very run is the one in which a leak must be found. */
function isUnprotected({ run }: Subject): boolean {
  return run?.config.protection.type === 'none' && run.last.defences === undefined;
}

function anotherControl(subject: Subject): Step {
  if (!subject.run) return giveTables(subject);
  if (subject.run.scenario && isUnprotected(subject))
    return {
      do: 'See whether another draw of everything random says the same',
      command: `parley simulate ${quoted(`${subject.target}/scenario.json`)} --seed ${(subject.run.manifest.seed ?? 1) + 1} --out runs/another-seed`,
    };
  return simulateWith(
    subject,
    'set federation.protection to {type: none} and federation.local.defence to {type: none}, where the audit must find something',
    'unprotected',
  );
}
