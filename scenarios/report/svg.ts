import { assertNever } from '../../shared/errors.ts';
import { type Axis, along } from './axis.ts';
import { html, type Markup } from './markup.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The colour of a mark: two series, many thin ones, or something to compare with. */
type Tone = 'first' | 'second' | 'thin' | 'reference';

/** Something drawn in a chart, in the values of its axes. A label stands at the right end of the line, or at `labelAt`. */
export type Mark =
  | {
      readonly type: 'line';
      readonly tone: Tone;
      readonly points: readonly Point[];
      readonly label: string;
      readonly labelAt?: Point;
    }
  | {
      readonly type: 'band';
      readonly points: readonly { readonly x: number; readonly low: number; readonly high: number }[];
    }
  | {
      readonly type: 'point';
      readonly tone: Tone;
      readonly at: Point;
      /** Whiskers; left out where there is no interval. */
      readonly xRange?: { readonly low: number; readonly high: number };
      readonly yRange?: { readonly low: number; readonly high: number };
      /** Short; beside the point. */
      readonly label: string;
      /** What a pointer over it reads. */
      readonly text: string;
    };

export interface Chart {
  /** Unique in the page, letters and dashes. */
  readonly id: string;
  readonly title: string;
  /** What the chart shows, in words, for those who cannot see it. */
  readonly summary: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly marks: readonly Mark[];
  /** What a pointer over each x reads, e.g. one entry for each round. */
  readonly readings: readonly { readonly x: number; readonly text: string }[];
  /** Room at the right for labels, in units of the drawing (480 wide). */
  readonly labelWidth: number;
}

const width = 480;
const height = 272;
const edge = { left: 48, top: 30, bottom: 40 };
const lineHeight = 15;
const maxReadings = 400;

interface Plane {
  readonly right: number;
  readonly bottom: number;
  x(value: number): number;
  y(value: number): number;
}

/** A line chart as SVG: light grid, labels at the lines instead of a legend, no script; colours come from the page's style. */
export function chartSvg(chart: Chart): Markup {
  const plane = planeOf(chart);
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${chart.id}-title" aria-describedby="${chart.id}-summary">
<title id="${chart.id}-title">${chart.title}</title><desc id="${chart.id}-summary">${chart.summary}</desc>
${grid(chart, plane)}
${chart.marks.map((mark) => drawn(mark, plane))}
${labels(chart.marks, plane)}
${readings(chart, plane)}
</svg>`;
}

function planeOf({ x, y, labelWidth }: Chart): Plane {
  const right = width - labelWidth;
  const bottom = height - edge.bottom;
  return {
    right,
    bottom,
    x: (value) => tidy(edge.left + along(x, value) * (right - edge.left)),
    y: (value) => tidy(bottom - along(y, value) * (bottom - edge.top)),
  };
}

function grid({ x, y }: Chart, plane: Plane): Markup {
  const rows = y.ticks.map((tick) => {
    const at = plane.y(tick);
    return html`<line class="grid" x1="${edge.left}" x2="${plane.right}" y1="${at}" y2="${at}"/><text class="tick" x="${edge.left - 7}" y="${at + 4}" text-anchor="end">${y.write(tick)}</text>`;
  });
  const columns = x.ticks.map((tick) => {
    const at = plane.x(tick);
    return html`<line class="axis" x1="${at}" x2="${at}" y1="${plane.bottom}" y2="${plane.bottom + 4}"/><text class="tick" x="${at}" y="${plane.bottom + 18}" text-anchor="middle">${x.write(tick)}</text>`;
  });
  return html`<g>${rows}${columns}<line class="axis" x1="${edge.left}" x2="${plane.right}" y1="${plane.bottom}" y2="${plane.bottom}"/>
<text class="axis-label" x="4" y="14">${y.label}</text><text class="axis-label" x="${plane.right}" y="${height - 4}" text-anchor="end">${x.label}</text></g>`;
}

function drawn(mark: Mark, plane: Plane): Markup {
  const { type } = mark;
  switch (type) {
    case 'line':
      return drawnLine(mark, plane);
    case 'band': {
      const upper = mark.points.map(({ x, high }) => `${plane.x(x)},${plane.y(high)}`);
      const lower = mark.points.map(({ x, low }) => `${plane.x(x)},${plane.y(low)}`).reverse();
      return html`<polygon class="band" points="${[...upper, ...lower].join(' ')}"/>`;
    }
    case 'point':
      return drawnPoint(mark, plane);
    default:
      return assertNever(type);
  }
}

function drawnLine(mark: Extract<Mark, { type: 'line' }>, plane: Plane): Markup {
  const points = mark.points.map(({ x, y }) => `${plane.x(x)},${plane.y(y)}`).join(' ');
  const last = mark.points.at(-1);
  const hasDot = last !== undefined && (mark.tone === 'first' || mark.tone === 'second');
  const dot = hasDot
    ? html`<circle class="dot ${mark.tone}" cx="${plane.x(last.x)}" cy="${plane.y(last.y)}" r="3"/>`
    : null;
  return html`<polyline class="line ${mark.tone}" points="${points}"/>${dot}`;
}

function drawnPoint(
  { tone, at, xRange, yRange, label, text }: Extract<Mark, { type: 'point' }>,
  plane: Plane,
): Markup {
  const [x, y] = [plane.x(at.x), plane.y(at.y)];
  const across =
    xRange &&
    html`<line class="whisker ${tone}" x1="${plane.x(xRange.low)}" x2="${plane.x(xRange.high)}" y1="${y}" y2="${y}"/>`;
  const upright =
    yRange &&
    html`<line class="whisker ${tone}" x1="${x}" x2="${x}" y1="${plane.y(yRange.low)}" y2="${plane.y(yRange.high)}"/>`;
  return html`<g><title>${text}</title>${across ?? null}${upright ?? null}<circle class="dot ${tone}" cx="${x}" cy="${y}" r="4"/><text class="label ${tone}" x="${tidy(x + 6)}" y="${tidy(y - 6)}">${label}</text></g>`;
}

interface Label {
  readonly text: string;
  readonly tone: Tone;
  readonly x: number;
  readonly y: number;
}

function labels(marks: readonly Mark[], plane: Plane): Markup[] {
  const free: Label[] = [];
  const atEnd: Label[] = [];
  for (const mark of marks) {
    if (mark.type !== 'line' || mark.label === '') continue;
    const end = mark.points.at(-1);
    const at = mark.labelAt ?? end;
    if (at === undefined) continue;
    const label = { text: mark.label, tone: mark.tone, x: plane.x(at.x), y: plane.y(at.y) };
    if (mark.labelAt === undefined) atEnd.push({ ...label, x: plane.right });
    else free.push(label);
  }
  return [...free, ...spread(atEnd, plane.bottom)].map(
    ({ text, tone, x, y }) =>
      html`<text class="label ${tone}" x="${x + 8}" y="${tidy(y + 4)}">${text}</text>`,
  );
}

/** Moves labels apart so that none covers another: downwards, then back up from the bottom of the chart. */
function spread(atEnd: readonly Label[], bottom: number): Label[] {
  const sorted = [...atEnd].sort((a, b) => a.y - b.y);
  const ys: number[] = [];
  for (const { y } of sorted) ys.push(Math.max(y, (ys.at(-1) ?? -Infinity) + lineHeight));
  let ceiling = bottom;
  const settled = ys.reverse().map((y) => {
    const moved = Math.min(y, ceiling);
    ceiling = moved - lineHeight;
    return moved;
  });
  settled.reverse();
  return sorted.map((label, index) => ({ ...label, y: settled[index] ?? label.y }));
}

function readings(chart: Chart, plane: Plane): Markup | null {
  const { length } = chart.readings;
  if (length === 0 || length > maxReadings) return null;
  const strip = tidy((plane.right - edge.left) / Math.max(1, length - 1));
  const strips = chart.readings.map(
    ({ x, text }) =>
      html`<rect class="reading" x="${tidy(plane.x(x) - strip / 2)}" y="${edge.top}" width="${strip}" height="${plane.bottom - edge.top}"><title>${text}</title></rect>`,
  );
  return html`<g>${strips}</g>`;
}

function tidy(value: number): number {
  return Math.round(value * 100) / 100;
}
