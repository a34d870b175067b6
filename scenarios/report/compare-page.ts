import type { CellSummary } from '../sweep/summary.ts';
import { claimsSection } from './claims.ts';
import { stamp } from './headline.ts';
import { html } from './markup.ts';
import { page } from './page.ts';
import { frontierSections } from './sweep-page.ts';
import { counted } from './words.ts';

/** Runs side by side as one self-contained page: utility against leakage as charts and as a table. */
export function compareHtml(cells: readonly CellSummary[]): string {
  const runs = cells.flatMap((cell) => cell.runs);
  const isSimulated = runs.some(({ seed }) => seed !== null);
  return page('Comparison of runs', [
    html`<header><h1>Comparison of runs</h1>
<p class="facts">${counted(cells.length, 'line')} · ${counted(runs.length, 'run')}</p>${isSimulated ? stamp() : null}</header>`,
    ...frontierSections(cells),
    claimsSection(undefined, isSimulated),
  ]);
}
