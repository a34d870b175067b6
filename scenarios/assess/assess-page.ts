import { html, type Markup } from '../report/markup.ts';
import { page } from '../report/page.ts';
import { table } from '../report/table.ts';
import { simulationStamp } from '../report/words.ts';
import { type Assessment, gapsOf, gapsSentence } from './assess.ts';
import { stampText, statusWords } from './assess-text.ts';
import { type Figure, type Finding, figuresOf, type Section, type Step } from './finding.ts';
import { questions, sectionTitles } from './questions.ts';

/** An assessment as one self-contained HTML file. */
export function assessHtml(assessment: Assessment): string {
  const { title, target, privacy, caveats, sections } = assessment;
  return page(title, [
    html`<header><h1>Assessment: ${title}</h1><p class="facts">${target}</p>
${privacy === simulationStamp ? html`<p class="stamp"><b>${stampText}</b></p>` : null}${caveats.map((caveat) => html`<p class="note">${caveat}</p>`)}</header>`,
    html`<section id="in-words"><h2>In words</h2>${conclusions(sections)}${gaps(assessment)}</section>`,
    ...sections.map(sectionMarkup),
  ]);
}

function conclusions(sections: readonly Section[]): Markup {
  return table<Section>(
    'What each part says. There is no score: what is not measured is not known.',
    [
      { header: 'Part', cell: ({ id }) => html`<a href="#${id}">${sectionTitles[id]}</a>` },
      { header: 'Conclusion', wide: true, cell: ({ conclusion }) => conclusion },
    ],
    sections,
  );
}

function gaps(assessment: Assessment): Markup {
  return html`<h3 class="finding" id="gaps">${gapsSentence(assessment)}</h3>
<ul>${gapsOf(assessment).map(({ question }) => html`<li><a href="#${question}">${questions[question].words}</a></li>`)}</ul>`;
}

function sectionMarkup({ id, conclusion, findings }: Section): Markup {
  return html`<section id="${id}"><h2>${sectionTitles[id]}</h2><p><b>${conclusion}</b></p>${findings.map(findingMarkup)}</section>`;
}

function findingMarkup(finding: Finding): Markup {
  const { question, status, answer, missing, next } = finding;
  const figures = figuresOf(finding);
  const mark =
    status === 'void'
      ? html`<span class="bad">${statusWords[status]}</span>`
      : html`<span class="soft">${statusWords[status]}</span>`;
  return html`<div class="finding" id="${question}"><h3>${questions[question].words} ${mark}</h3><p>${answer}</p>
${figures.length === 0 ? null : figureTable(question, figures)}${list('Not measured', missing)}${steps(next)}</div>`;
}

function figureTable(question: Finding['question'], figures: readonly Figure[]): Markup {
  return table<Figure>(
    questions[question].words,
    [
      { header: 'Figure', wide: true, cell: ({ what }) => what },
      { header: 'Value, 95 % interval', numeric: true, cell: ({ text }) => text },
      { header: 'Source', cell: ({ source }) => source },
    ],
    figures,
  );
}

function list(title: string, items: readonly string[]): Markup | null {
  if (items.length === 0) return null;
  return html`<p class="soft">${title}:</p><ul class="soft">${items.map((item) => html`<li>${item}</li>`)}</ul>`;
}

function steps(next: readonly Step[]): Markup {
  return html`${next.map(
    ({ do: words, command, read }) =>
      html`<p>Next: ${words}${read === undefined ? '' : ` (${read})`}.</p>${command === undefined ? null : html`<pre tabindex="0">${command}</pre>`}`,
  )}`;
}
