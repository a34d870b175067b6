import { figure, interval, plain } from '../report/words.ts';
import { attacksMade, attacksNeeding } from './attack-needs.ts';
import {
  decimalFigure,
  type Finding,
  measured,
  rateFigure,
  type Section,
  type Step,
  unmeasured,
} from './finding.ts';
import { commandOn, giveTables, priceOfPrivacy, trainShadows } from './steps.ts';
import { highestTpr, type Strongest, strongest } from './strongest.ts';
import type { Subject } from './subject.ts';
import { type AttackedSubject, attacked, failedControl, wasAttacked } from './trust.ts';

/** What the model's answers give away by themselves, and what hardening would and would not change. */
export function outputs(subject: Subject): Section {
  return {
    id: 'outputs',
    conclusion: conclusionOf(subject),
    findings: [attacked('answers-alone', subject, answersAlone), hardenedAnswers(subject)],
  };
}

function bestByAnswers({ audit }: AttackedSubject): Strongest | undefined {
  return strongest(attacksNeeding(attacksMade(audit), 'answers'));
}

function conclusionOf(subject: Subject): string {
  const tail =
    'Whoever has the model has its full probabilities; hardening helps against callers of an endpoint only.';
  if (!wasAttacked(subject) || failedControl(subject.audit) !== undefined)
    return `Not measured what answers give away. ${tail}`;
  const best = bestByAnswers(subject);
  if (!best) return `No attack on answers alone was made. ${tail}`;
  const found = `AUC ${figure(best.auc)} ${interval(best)}`;
  return best.low > 0.5
    ? `Answers alone give members away (${plain(best.attack)}, ${found}). ${tail}`
    : `Answers alone give nothing away to the attacks made (best ${found}). ${tail}`;
}

function answersAlone(subject: AttackedSubject): Finding {
  const { audit, auditSource } = subject;
  const made = attacksNeeding(attacksMade(audit), 'answers');
  const best = strongest(made);
  if (!best)
    return unmeasured('answers-alone', {
      answer: 'No attack was made that needs answers alone (audit.attacks does not name one).',
      next: [
        { do: 'Make all attacks', command: commandOn(subject, 'audit'), read: 'docs/auditing.md#attacks' },
      ],
    });
  const tpr = highestTpr(made, 0.01);
  return measured('answers-alone', {
    answer:
      best.low > 0.5
        ? 'Somebody who asks for all probabilities of a record, and knows its label, finds out who trained. So does everybody who has the model, who can ask it without limit.'
        : 'Somebody who only asks finds nothing beyond chance by the attacks made. Everybody who has the model sees the same probabilities, without limit.',
    figures: [
      decimalFigure(
        `AUC of ${plain(best.attack)}, interval for all ${best.looks} on answers together`,
        best.auc,
        best,
        auditSource,
      ),
      ...(tpr
        ? [rateFigure(`largest TPR@1% by answers (${plain(tpr.attack)}, picked)`, tpr.tpr, tpr, auditSource)]
        : []),
    ],
    missing: [
      'callers who see labels only, or hardened answers',
      'callers who ask many times about changed records',
    ],
    next: [
      best.low > 0.5 ? priceOfPrivacy(subject) : subject.run ? trainShadows(subject) : giveTables(subject),
    ],
  });
}

function hardenedAnswers(subject: Subject): Finding {
  return unmeasured('hardened-answers', {
    answer:
      'Not measured: how the finished model is served is not in the run, and no hardened answer was attacked. Hardening (rounding, top-k, label only, noise, MemGuard) changes what callers of an endpoint get; every site has the model, and it protects nothing from them.',
    next: hardeningSteps(subject),
  });
}

/** Choose, serve, and attack what callers get. */
function hardeningSteps(subject: Subject): Step[] {
  return [
    { do: 'Choose what callers get, and read what it cannot do', read: 'docs/defences.md#at-release-time' },
    {
      do: 'Serve the model with these answers, as serve.yaml says',
      command: commandOn(subject, 'serve', '--config', 'serve.yaml'),
      read: 'docs/serving.md',
    },
    {
      do: 'Attack it as a caller',
      command: commandOn(subject, 'audit', '--through', 'http://127.0.0.1:7444', '--key-file', 'key'),
    },
  ];
}
