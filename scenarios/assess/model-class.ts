import { counted, countText } from '../report/words.ts';
import { noRange } from './attack-figures.ts';
import { differenceWords, figuresOfRun, otherDifferences } from './compared.ts';
import {
  countFigure,
  decimalFigure,
  type Figure,
  type Finding,
  known,
  measured,
  type Section,
  type Step,
  unmeasured,
} from './finding.ts';
import { commandOn, giveTables, quoted, simulateWith } from './steps.ts';
import { isRun, type OtherRun, type RunSubject, type Subject } from './subject.ts';

/** How much the model could remember, and what another kind of model changes: measured only against runs of one. */
export function modelClass(subject: Subject): Section {
  return {
    id: 'model-class',
    conclusion: conclusionOf(subject),
    findings: [capacity(subject), otherModelClass(subject)],
  };
}

function conclusionOf(subject: Subject): string {
  const users = trainingUsers(subject);
  const size =
    users === undefined
      ? `${countText(subject.numParams)} parameters`
      : `${countText(subject.numParams)} parameters for ${counted(users, 'training user')}`;
  const others = othersOf(subject);
  return others.length === 0
    ? `${size}; what another model class would change was not measured.`
    : `${size}; compared with ${others.map(({ numParams }) => countText(numParams)).join(', ')} parameters below.`;
}

/** Declared users, who are near the number that trains; users of the members' table; undefined where nobody says. */
function trainingUsers({ run, audit }: Subject): number | undefined {
  if (run) return run.manifest.sites.reduce((sum, { declaredUsers }) => sum + declaredUsers, 0);
  return audit?.members;
}

/** Runs of another model. */
function othersOf({ against }: Subject): OtherRun[] {
  return against.filter(({ differs }) => differs.includes('model'));
}

const isModel = (path: string): boolean => path === 'model';

function capacity(subject: Subject): Finding {
  const { numParams, run } = subject;
  const users = trainingUsers(subject);
  return known('capacity', {
    answer:
      users === undefined
        ? 'The number of parameters is known, the number of users who trained is not.'
        : numParams >= users
          ? `More parameters than users: there is room to learn single users by heart. Whether it did is measured above, not here.`
          : `Fewer parameters than users: little room to learn single users by heart, and no proof that none was.`,
    figures: capacityFigures(subject, users),
    missing: users === undefined ? ['how many users trained it'] : [],
    next: [run ? smaller(subject) : users === undefined ? giveTables(subject) : rehearse()],
  });
}

function capacityFigures({ numParams, run, target }: Subject, users: number | undefined): Figure[] {
  const of = run
    ? 'declared users of the sites, a public constant near those who train'
    : 'users of the members’ table';
  const pruned = run?.last.pruning;
  return [
    countFigure('parameters', numParams, run ? 'manifest.json, federation.model' : target),
    ...(pruned
      ? [countFigure('of them not pruned', pruned.kept, `rounds.jsonl, round ${run.reports.length}`)]
      : []),
    ...(users
      ? [
          countFigure(of, users, run ? 'manifest.json' : 'the tables'),
          decimalFigure('parameters for each of them', numParams / users, noRange, 'the two above'),
        ]
      : []),
  ];
}

function smaller(subject: Subject): ReturnType<typeof simulateWith> {
  return simulateWith(
    subject,
    'make federation.model smaller or of another class (fewer units, layers: [] for a logistic model)',
    'other-model',
  );
}

function rehearse(): Step {
  return {
    do: 'Train models of several sizes on such data: a grid over federation.model, written as the document says',
    command: 'parley sweep sizes.yaml',
    read: 'docs/sweeps.md#a-grid',
  };
}

function otherModelClass(subject: Subject): Finding {
  const others = othersOf(subject);
  if (isRun(subject) && others.length > 0) return compared(subject, others);
  const same = subject.against.length > 0 ? ' The runs given have the same model.' : '';
  return unmeasured('other-model-class', {
    answer: `Not measured: no run of another model class on the same federation was given (--against).${same}`,
    next: subject.run
      ? [
          smaller(subject),
          {
            do: 'Then assess against it',
            command: commandOn(subject, 'assess', '--against', 'runs/other-model'),
          },
        ]
      : [rehearse()],
  });
}

function compared(subject: RunSubject, others: readonly OtherRun[]): Finding {
  const runs = [subject.target, ...others.map(({ directory }) => directory)].map(quoted).join(' ');
  const words = others.map((other) => {
    const size = `${other.directory} has ${counted(other.numParams, 'parameter')}, this run ${countText(subject.numParams)}`;
    return `${size}; ${differenceWords(subject.run, other)}`;
  });
  const text = `${words.join('. ')}. Read the utilities beside it.`;
  return measured('other-model-class', {
    answer: text,
    figures: [
      ...figuresOfRun(subject.target, subject.run),
      ...others.flatMap(({ directory, run }) => figuresOfRun(directory, run)),
    ],
    missing: [
      'other seeds: a run is one draw of everything random',
      ...others.flatMap((other) => otherDifferences(other, isModel)),
    ],
    next: [{ do: 'See utility against leakage as a chart', command: `parley compare ${runs}` }],
  });
}
