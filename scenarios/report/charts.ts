import type { ReportedEpsilon, RoundReport } from '../../shared/protocol/report.ts';
import { rateAxis, roundAxis, valueAxis } from './axis.ts';
import { html, type Markup, type Part, unbroken } from './markup.ts';
import { type Chart, chartSvg, type Mark, type Point } from './svg.ts';
import {
  deltaText,
  epsilonText,
  figure,
  interval,
  measuredTpr,
  percent,
  plain,
  roundNumber,
  tprName,
  utilityName,
} from './words.ts';

const chartFpr = 0.01;
const labelWidth = 134;

/** A figure with its caption: what is drawn, and how to read it. */
export function figureOf(chart: Chart, note: Part): Markup {
  return html`<figure id="${chart.id}"><figcaption><b>${chart.title}</b> ${note}</figcaption>${chartSvg(chart)}</figure>`;
}

/** A straight level over all rounds, such as a limit. */
export function level(reports: readonly RoundReport[], y: number, label: string): Mark {
  const rounds = reports.map(roundNumber);
  const { low, high } = roundAxis(rounds);
  return {
    type: 'line',
    tone: 'reference',
    points: [
      { x: low, y },
      { x: high, y },
    ],
    label,
  };
}

/** Utility over rounds. At least one report. */
export function utilityChart(reports: readonly RoundReport[], last: RoundReport): Markup {
  const name = utilityName(last);
  const points = overRounds(reports, ({ utility }) => utility.value);
  const chart: Chart = {
    id: 'utility',
    title: 'What the model is worth',
    summary: `${name} over ${reports.length} rounds, ${figure(last.utility.value)} at the end.`,
    x: roundAxis(reports.map(roundNumber)),
    y: valueAxis(
      name,
      points.map(({ y }) => y),
    ),
    marks: [
      {
        type: 'line',
        tone: 'first',
        points,
        label: `${name.replace('test ', '')} ${figure(last.utility.value)}`,
      },
    ],
    readings: read(
      reports,
      ({ utility }) =>
        `${name} ${figure(utility.value)}, accuracy ${figure(utility.accuracy)}, loss ${figure(utility.loss)}`,
    ),
    labelWidth,
  };
  return figureOf(chart, 'Measured on held-out records after each round.');
}

/** Epsilon over rounds in both views, with the limit; words where nothing is promised. At least one report. */
export function epsilonChart(reports: readonly RoundReport[], last: RoundReport): Markup {
  const { coordinator, recipients, delta, limit } = last.epsilon;
  const views = [
    { tone: 'first' as const, name: 'coordinator', points: finite(reports, 'coordinator'), end: coordinator },
    { tone: 'second' as const, name: 'recipients', points: finite(reports, 'recipients'), end: recipients },
  ].filter(({ points }) => points.length > 0);
  const title = 'What was promised';
  if (views.length === 0)
    return html`<figure id="epsilon"><figcaption><b>${title}</b> Epsilon is infinite in both views: nothing is promised.</figcaption></figure>`;
  const limits = limit === null ? [] : [level(reports, limit, `limit ${limit.toFixed(2)}`)];
  const values = views.flatMap(({ points }) => points.map(({ y }) => y));
  const chart: Chart = {
    id: 'epsilon',
    title,
    summary: `Epsilon so far over ${reports.length} rounds; at the end ${epsilonText(coordinator)} against the coordinator and ${epsilonText(recipients)} against model recipients.`,
    x: roundAxis(reports.map(roundNumber)),
    y: valueAxis('ε so far', [0, ...values, ...(limit === null ? [] : [limit])]),
    marks: [
      ...limits,
      ...views.map(
        ({ tone, name, points, end }): Mark => ({
          type: 'line',
          tone,
          points,
          label: `${name} ${epsilonText(end)}`,
        }),
      ),
    ],
    readings: read(
      reports,
      ({ epsilon }) =>
        `ε ${epsilonText(epsilon.coordinator)} against the coordinator, ${epsilonText(epsilon.recipients)} against model recipients`,
    ),
    labelWidth,
  };
  const gap = views.length < 2 ? ' A view without a line is infinite.' : '';
  return figureOf(
    chart,
    html`Upper bound on ε for one user, all rounds so far together, at ${unbroken(`δ = ${deltaText(delta)}`)}.${gap}`,
  );
}

/** AUC of the declared attack over rounds with its interval, chance and what the test could notice. At least one report. */
export function attackChart(reports: readonly RoundReport[], last: RoundReport): Markup {
  const { user, minimumDetectableAuc } = last.audit;
  const band = reports.map((report) => ({
    x: roundNumber(report),
    low: report.audit.user.low,
    high: report.audit.user.high,
  }));
  const chart: Chart = {
    id: 'leakage',
    title: 'What leaks',
    summary: `AUC of the declared attack over ${reports.length} rounds, ${figure(user.auc)} ${interval(user)} at the end; chance is 0.5.`,
    x: roundAxis(reports.map(roundNumber)),
    y: valueAxis('attack AUC', [0.5, minimumDetectableAuc, ...band.flatMap(({ low, high }) => [low, high])]),
    marks: [
      { type: 'band', points: band },
      level(reports, 0.5, 'chance'),
      level(reports, minimumDetectableAuc, `noticed ${figure(minimumDetectableAuc)}`),
      {
        type: 'line',
        tone: 'first',
        points: overRounds(reports, ({ audit }) => audit.user.auc),
        label: `AUC ${figure(user.auc)}`,
      },
    ],
    readings: read(reports, ({ audit }) => `AUC ${figure(audit.user.auc)} ${interval(audit.user)}`),
    labelWidth,
  };
  return figureOf(
    chart,
    `AUC of ${plain(user.attack)} with its 95 % interval. From the level “noticed” upwards the test would find leakage four times in five.`,
  );
}

/** TPR at 1 % FPR of the declared attack over rounds; words where it is not testable. At least one report. */
export function tprChart(reports: readonly RoundReport[]): Markup {
  const name = tprName(chartFpr);
  const title = `Who is exposed: ${name}`;
  const found = reports.flatMap((report) => {
    const tpr = measuredTpr(report.audit.user, chartFpr);
    return tpr === undefined ? [] : [{ x: roundNumber(report), y: tpr.tpr, low: tpr.low, high: tpr.high }];
  });
  const end = found.at(-1);
  if (end === undefined)
    return html`<figure id="tpr"><figcaption><b>${title}</b> Not testable: it takes at least ${Math.round(1 / chartFpr)} held-out users.</figcaption></figure>`;
  const chart: Chart = {
    id: 'tpr',
    title,
    summary: `${name} of the declared attack over rounds, ${percent(end.y)} [${percent(end.low)}, ${percent(end.high)}] at the end; chance is ${percent(chartFpr)}.`,
    x: roundAxis(reports.map(roundNumber)),
    y: valueAxis(
      name,
      [0, chartFpr, ...found.map(({ high }) => high)],
      (value, decimals) => `${(value * 100).toFixed(Math.max(0, decimals - 2))}%`,
    ),
    marks: [
      { type: 'band', points: found },
      level(reports, chartFpr, 'chance'),
      { type: 'line', tone: 'first', points: found, label: `TPR ${percent(end.y)}` },
    ],
    readings: found.map(({ x, y, low, high }) => ({
      x,
      text: `round ${x}: ${name} ${percent(y)} [${percent(low)}, ${percent(high)}]`,
    })),
    labelWidth,
  };
  return figureOf(
    chart,
    'Share of members the declared attack names while it wrongly names 1 % of the held-out users, with its 95 % interval.',
  );
}

/** ROC of the declared attack at one round, both axes logarithmic: what counts is the left end. */
export function rocChart({ audit }: RoundReport): Markup {
  const low = Math.min(0.01, 10 ** Math.floor(Math.log10(1 / Math.max(10, audit.heldOut)) + 1e-9));
  // The axis has no place for smaller rates: the curve begins with the last point at or left of it.
  const start = audit.roc.findLastIndex(([fpr]) => fpr <= low);
  const points = audit.roc.slice(Math.max(0, start)).map(([x, y]) => ({ x, y }));
  const chart: Chart = {
    id: 'roc',
    title: 'The declared attack',
    summary: `ROC of the declared attack on logarithmic axes; its AUC is ${figure(audit.user.auc)}.`,
    x: rateAxis('false-positive rate', low),
    y: rateAxis('true-positive rate', low),
    marks: [
      {
        type: 'line',
        tone: 'reference',
        points: [
          { x: low, y: low },
          { x: 1, y: 1 },
        ],
        label: 'chance',
        labelAt: { x: low ** 0.35, y: low ** 0.42 },
      },
      { type: 'line', tone: 'first', points, label: '' },
    ],
    readings: [],
    labelWidth: 24,
  };
  return figureOf(
    chart,
    `ROC of ${plain(audit.user.attack)}, logarithmic axes: above the diagonal at the left, single users are exposed.`,
  );
}

/** One figure of every round as points. */
export function overRounds(reports: readonly RoundReport[], of: (report: RoundReport) => number): Point[] {
  return reports.map((report) => ({ x: roundNumber(report), y: of(report) }));
}

function read(
  reports: readonly RoundReport[],
  of: (report: RoundReport) => string,
): { x: number; text: string }[] {
  return reports.map((report) => ({
    x: roundNumber(report),
    text: `round ${roundNumber(report)}: ${of(report)}`,
  }));
}

function finite(reports: readonly RoundReport[], view: 'coordinator' | 'recipients'): Point[] {
  return reports.flatMap((report) => {
    const epsilon: ReportedEpsilon = report.epsilon[view];
    return epsilon === 'infinite' ? [] : [{ x: roundNumber(report), y: epsilon }];
  });
}
