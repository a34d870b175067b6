import { plain, simulationStamp } from '../report/words.ts';
import { type Assessment, gapsOf, gapsSentence } from './assess.ts';
import { type Finding, figuresOf, type Section, type Step } from './finding.ts';
import { questions, sectionTitles } from './questions.ts';

/** How a status is said. */
export const statusWords: Readonly<Record<Finding['status'], string>> = {
  measured: 'measured',
  known: 'known',
  void: 'VOID',
  'not-measured': 'not measured',
  'not-applicable': 'not applicable',
};

const width = 118;

/** An assessment for the terminal: what each part says in words, every answer, and what was not measured. Ends with a line break. */
export function assessText(assessment: Assessment): string {
  const { title, target, privacy, caveats, sections } = assessment;
  const lines = [
    `Assessment of ${plain(target)}`,
    ...(title === target ? [] : [plain(title)]),
    ...(privacy === simulationStamp ? [stampText] : []),
    ...caveats.flatMap((caveat) => wrapped(plain(caveat), '')),
    '',
    ...sections.flatMap((section, index) => shortly(section, index)),
    ...sections.flatMap((section, index) => ['', ...sectionLines(section, index)]),
    '',
    ...gapLines(assessment),
  ];
  return `${lines.join('\n')}\n`;
}

/** The stamp, said loudly. */
export const stampText = `${simulationStamp.toUpperCase()}. This run protects nobody, whatever epsilon says below.`;

function shortly({ id, conclusion }: Section, index: number): string[] {
  return wrapped(plain(conclusion), `${index + 1} ${sectionTitles[id]}: `, '  ');
}

function sectionLines({ id, findings }: Section, index: number): string[] {
  const title = `${index + 1} ${sectionTitles[id]}`;
  return [title, '='.repeat(title.length), ...findings.flatMap(findingLines)];
}

function findingLines(finding: Finding): string[] {
  const { question, status, answer, missing, next } = finding;
  return [
    `${questions[question].words} [${statusWords[status]}]`,
    ...wrapped(plain(answer), '  '),
    ...figuresOf(finding).flatMap(({ what, text, source }) =>
      wrapped(plain(`${text}  ${what} (${source})`), '  * ', '    '),
    ),
    ...missing.flatMap((gap) => wrapped(plain(gap), '  not measured: ', '    ')),
    ...next.flatMap((step) => stepLines(step)),
  ];
}

function stepLines({ do: words, command, read }: Step): string[] {
  const reading = read === undefined ? '' : ` (${read})`;
  return [
    ...wrapped(plain(`${words}${reading}`), '  next: ', '    '),
    // A command is never broken, so that it can be copied.
    ...(command === undefined ? [] : [`    ${plain(command)}`]),
  ];
}

function gapLines(assessment: Assessment): string[] {
  const gaps = gapsOf(assessment);
  return [
    `${gapsSentence(assessment)}:`,
    ...gaps.flatMap(({ question, status }) =>
      wrapped(`${questions[question].words}${status === 'void' ? ' (void)' : ''}`, '  - ', '    '),
    ),
    'There is no score: what is not measured is not known.',
  ];
}

/** Text broken at blanks, with `first` before it and `later` before each further line. */
function wrapped(text: string, first: string, later = first): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      [line, isEmpty] = [later, true];
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
