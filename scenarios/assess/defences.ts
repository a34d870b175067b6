import { worksOn } from '../report/claims.ts';
import { plain } from '../report/words.ts';
import { averageAndVulnerable } from './average-and-vulnerable.ts';
import { differenceWords, figuresOfRun, otherDifferences } from './compared.ts';
import { type Finding, known, measured, type Section, unmeasured } from './finding.ts';
import { commandOn, giveTables, priceOfPrivacy, quoted, simulateWith } from './steps.ts';
import { defencesOf, isRun, type OtherRun, type RunFacts, type RunSubject, type Subject } from './subject.ts';

/** Empirical defences in training, what each may claim, and whether those easiest to find fare like the average. */
export function defences(subject: Subject): Section {
  return {
    id: 'defences',
    conclusion: conclusionOf(subject),
    findings: isRun(subject)
      ? [inUse(subject), effect(subject), averageAndVulnerable(subject)]
      : (['defences-in-use', 'effect-of-defences', 'average-and-vulnerable'] as const).map((question) =>
          unmeasured(question, {
            answer: 'Not known: a model file does not say how it was trained.',
            next: [giveTables(subject)],
          }),
        ),
  };
}

function conclusionOf(subject: Subject): string {
  if (!isRun(subject)) return 'Not known: a model file does not say how it was trained.';
  const own = defencesOf(subject.run);
  const noise = isProtected(subject.run)
    ? 'clipping and noise protect each user'
    : 'nothing protects a user in training';
  if (own.length === 0) return `No empirical defence is in use; ${noise}.`;
  const names = own.map(({ type }) => type).join(', ');
  return `${names}: may claim a smaller average only, never the worst case, and no epsilon; ${noise}.`;
}

function isProtected({ config }: RunFacts): boolean {
  return config.protection.type !== 'none';
}

/** What is known about single defences beyond what their class says. */
const cautions: Readonly<Record<string, string>> = {
  relaxloss:
    'it holds the average loss up, which is what average attacks read; users easiest to find stay exposed (Aerni et al. 2024)',
  'label-smoothing': 'it is reported to leak more, not less: a negative control, no protection',
  hamp: 'this is its training half; the other half changes answers, and is not in use here',
  pruning:
    'sites saw the model before each step too; fewer weights hold less, and what is left can still know somebody',
  mixup: 'a user with one record is not changed by it',
  averaging: 'sites still see every round’s own model, which is not attacked',
  'server-distillation': 'sites still see every round’s own model, which is not attacked',
  'early-stopping': 'its best utility was picked with the held-out users',
};

function inUse(subject: RunSubject): Finding {
  const own = defencesOf(subject.run);
  const next = [priceOfPrivacy(subject)];
  if (own.length === 0)
    return known('defences-in-use', {
      answer: isProtected(subject.run)
        ? 'No empirical defence: users are protected by clipping and noise, which the guarantee below is about.'
        : 'None: no empirical defence, no clipping, no noise.',
      next: isProtected(subject.run)
        ? [{ do: 'See what defences there are, and what each may claim', read: 'docs/defences.md' }]
        : next,
    });
  const sentences = own.map(({ type, class: kind }) => {
    const caution = cautions[type];
    return `${plain(type)} (${kind}): ${worksOn[kind]}${caution === undefined ? '' : `; ${caution}`}.`;
  });
  return known('defences-in-use', {
    answer: `${sentences.join(' ')} None of them changes epsilon or may claim to protect a single user.`,
    missing: ['whether an attacker who knows the defence finds more: no attack here adapts to it'],
    next: isProtected(subject.run)
      ? [{ do: 'Read what each defence may claim', read: 'docs/defences.md' }]
      : next,
  });
}

/** Settings that are defences at training. */
function isDefence(path: string): boolean {
  return ['local.defence', 'averaging', 'distillation', 'earlyStopping', 'pruning'].includes(path);
}

function effect(subject: RunSubject): Finding {
  const own = defencesOf(subject.run);
  if (own.length === 0)
    return unmeasured(
      'effect-of-defences',
      {
        answer: 'No empirical defence is in use.',
        next: [
          {
            do: 'Compare defences on this kind of federation',
            command: 'parley sweep scenarios/catalog/defences.yaml',
            read: 'docs/sweeps.md',
          },
        ],
      },
      'not-applicable',
    );
  const without = subject.against.filter(
    ({ differs, run }) => differs.some(isDefence) && defencesOf(run).length < own.length,
  );
  if (without.length === 0) return notCompared(subject);
  return measured('effect-of-defences', {
    answer: `${capital(without.map((other) => differenceWords(subject.run, other)).join('; '))}.`,
    figures: [
      ...figuresOfRun(subject.target, subject.run),
      ...without.flatMap(({ directory, run }) => figuresOfRun(directory, run)),
    ],
    missing: [
      'other seeds: a run is one draw of everything random',
      ...without.flatMap((other) => otherDifferences(other, isDefence)),
    ],
    next: [compareStep(subject, without)],
  });
}

function notCompared(subject: RunSubject): Finding {
  return unmeasured('effect-of-defences', {
    answer: 'Not measured: no run of the same federation without them was given (--against).',
    next: [
      simulateWith(
        subject,
        'leave out federation.local.defence, averaging, distillation, earlyStopping and pruning',
        'undefended',
      ),
      { do: 'Then assess against it', command: commandOn(subject, 'assess', '--against', 'runs/undefended') },
    ],
  });
}

function compareStep(
  subject: Subject,
  others: readonly OtherRun[],
): { readonly do: string; readonly command: string } {
  const runs = [subject.target, ...others.map(({ directory }) => directory)].map(quoted).join(' ');
  return {
    do: 'See utility against leakage as a chart, with several seeds each',
    command: `parley compare ${runs}`,
  };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
