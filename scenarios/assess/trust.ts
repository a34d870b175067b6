import type { AuditReport } from '../../shared/protocol/audit-report.ts';
import { type Finding, unmeasured } from './finding.ts';
import type { QuestionId } from './questions.ts';
import { commandOn, giveTables } from './steps.ts';
import type { Subject } from './subject.ts';

/** A subject whose attack figures are there. */
export type AttackedSubject = Subject & { readonly audit: AuditReport };

/** Which control failed, so that no attack figure means anything; undefined when they passed. */
export function failedControl({ negativeControl, positiveControl }: AuditReport): string | undefined {
  if (!negativeControl.passed) return 'the negative control failed: permuted labels do not look like chance';
  if (positiveControl?.passed === false) return 'the positive control failed: a planted leak was not found';
  return undefined;
}

/** An answer that rests on attacks: without users there is none, and a failed control voids it whatever was found. */
export function attacked(
  question: QuestionId,
  subject: Subject,
  answer: (subject: AttackedSubject) => Finding,
): Finding {
  if (!wasAttacked(subject)) return notAttacked(question, subject);
  const failed = failedControl(subject.audit);
  if (failed === undefined) return answer(subject);
  return unmeasured(
    question,
    {
      answer: `Void: ${failed}. No conclusion may be drawn from what the attacks found.`,
      next: [
        {
          do: 'Attack once more; when a control fails again, report it as an error of the audit',
          command: subject.run ? commandOn(subject, 'audit') : (giveTables(subject).command ?? ''),
        },
      ],
    },
    'void',
  );
}

/** The answer to a question about attacks or audit users where there are none. */
export function notAttacked(question: QuestionId, subject: Subject): Finding {
  return unmeasured(question, {
    answer: 'Not measured: nobody whose membership is known was given.',
    next: [giveTables(subject)],
  });
}

/** Whether attacks were made at all. */
export function wasAttacked(subject: Subject): subject is AttackedSubject {
  return subject.audit !== null;
}
