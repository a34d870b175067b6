import { html, type Markup, type Part } from './markup.ts';

/** One column of a table: its header and what its cells show; the first column of a table names its rows. */
export interface Column<Row> {
  readonly header: string;
  readonly cell: (row: Row) => Part;
  /** Right-aligned, never wrapped. */
  readonly numeric?: boolean;
  /** Sentences: never squeezed into a narrow column. */
  readonly wide?: boolean;
}

/** A table with a caption and header cells for rows and columns, which scrolls by itself where the page is narrow. */
export function table<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[]): Markup {
  const headers = columns.map((column) => html`<th scope="col"${alignment(column)}>${column.header}</th>`);
  const body = rows.map(
    (row) => html`<tr>${columns.map((column, index) => cell(column, row, index === 0))}</tr>`,
  );
  return html`<div class="table" tabindex="0" role="region" aria-label="${caption}"><table><caption><span>${caption}</span></caption>
<thead><tr>${headers}</tr></thead><tbody>
${body}
</tbody></table></div>`;
}

function cell<Row>(column: Column<Row>, row: Row, first: boolean): Markup {
  const content = column.cell(row);
  return first
    ? html`<th scope="row"${alignment(column)}>${content}</th>`
    : html`<td${alignment(column)}>${content}</td>`;
}

function alignment<Row>({ numeric, wide }: Column<Row>): Markup | null {
  if (numeric === true) return html` class="number"`;
  return wide === true ? html` class="wide"` : null;
}

/**
 * An interval as a mark on a scale that all rows of a table share (AUC from `scale.low` to `scale.high`), with chance as a
 * dotted line. The figures stand beside it in the table, so it is hidden from screen readers.
 */
export function rangeMark(
  result: { readonly auc: number; readonly low: number; readonly high: number },
  scale: { readonly low: number; readonly high: number },
): Markup {
  const at = (auc: number): string => (4 + (124 * (auc - scale.low)) / (scale.high - scale.low)).toFixed(1);
  return html`<svg class="range" viewBox="0 0 132 14" aria-hidden="true"><line class="chance" x1="${at(0.5)}" x2="${at(0.5)}" y1="0" y2="14"/><line class="reach" x1="${at(result.low)}" x2="${at(result.high)}" y1="7" y2="7"/><circle cx="${at(result.auc)}" cy="7" r="3.5"/></svg>`;
}

/** The scale for `rangeMark` that holds all of these intervals and chance. */
export function sharedScale(ranges: readonly { readonly low: number; readonly high: number }[]): {
  low: number;
  high: number;
} {
  return {
    low: Math.min(0.45, ...ranges.map(({ low }) => low)),
    high: Math.max(0.55, ...ranges.map(({ high }) => high)),
  };
}
