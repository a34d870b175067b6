import type { CanaryReport, CanaryView, EpsilonEstimate } from '../../shared/protocol/canary-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { roundAxis, valueAxis } from './axis.ts';
import { figureOf } from './charts.ts';
import { html, type Markup, type Part } from './markup.ts';
import type { Mark, Point } from './svg.ts';
import { table } from './table.ts';
import { counted, epsilonText, provenText, roundNumber } from './words.ts';

const views = ['coordinator', 'recipients'] as const;
type ViewName = (typeof views)[number];
const names: Readonly<Record<ViewName, string>> = {
  coordinator: 'the coordinator',
  recipients: 'model recipients',
};

type Measured = Extract<CanaryReport, { status: 'measured' }>;

/** Epsilon three times for each adversary: accounted, estimated and proven. Nothing for reports from before canaries. */
export function canarySection(reports: readonly RoundReport[], last: RoundReport): Markup[] {
  const { canaries } = last;
  if (!canaries) return [];
  const body =
    canaries.status === 'measured'
      ? html`${provenChart(reports, last)}${canaryTable(canaries, last)}`
      : html`<p class="note">Not measured: ${canaries.reason}.</p>`;
  return [
    html`<section id="canaries"><h2>Epsilon: accounted, estimated, proven</h2>${redTeamNote(last)}${alarmNote(last)}${body}</section>`,
  ];
}

function canaryTable(canaries: Measured, last: RoundReport): Markup {
  const { members, heldOut } = canaries;
  const rows = views.map((name) => ({ name, ...canaries[name] }));
  return table<CanaryView & { readonly name: ViewName }>(
    `After round ${roundNumber(last)}, from ${counted(members, 'member canary', 'member canaries')} and ${heldOut} held-out ones.`,
    [
      { header: 'Against', cell: ({ name }) => names[name] },
      { header: 'Accounted, at most', numeric: true, cell: ({ name }) => epsilonText(last.epsilon[name]) },
      { header: 'Estimated', numeric: true, cell: ({ runEstimate }) => estimateText(runEstimate) },
      { header: 'Proven, at least', numeric: true, cell: ({ bound }) => provenText(bound.epsilon) },
      { header: 'Right guesses', numeric: true, cell: ({ bound }) => `${bound.correct} of ${bound.guesses}` },
      { header: 'Note', wide: true, cell: ({ runEstimate }) => noteOn(runEstimate) },
    ],
    rows,
  );
}

function noteOn(estimate: EpsilonEstimate): Part {
  return estimate.status === 'measured' ? null : estimate.reason;
}

/** An estimate with its interval; `void`, or `n/a`. */
function estimateText(estimate: EpsilonEstimate): string {
  if (estimate.status === 'not-measured') return 'n/a';
  if (estimate.status === 'void') return 'void';
  return `${estimate.epsilon.toFixed(2)} [${estimate.low.toFixed(2)}, ${estimate.high.toFixed(2)}]`;
}

function provenChart(reports: readonly RoundReport[], last: RoundReport): Markup {
  const points = (of: (report: RoundReport) => number | undefined): Point[] =>
    reports.flatMap((report) => {
      const y = of(report);
      return y === undefined ? [] : [{ x: roundNumber(report), y }];
    });
  const accounted = points(({ epsilon: { coordinator } }) =>
    coordinator === 'infinite' ? undefined : coordinator,
  );
  const estimated = points((report) => {
    const estimate = viewOf(report)?.runEstimate;
    return estimate?.status === 'measured' ? estimate.epsilon : undefined;
  });
  const proven = points((report) => viewOf(report)?.bound.epsilon);
  const line = (tone: 'first' | 'second' | 'reference', label: string, own: Point[]): Mark[] =>
    own.length === 0 ? [] : [{ type: 'line', tone, points: own, label }];
  const all = [...accounted, ...estimated, ...proven].map(({ y }) => y);
  return figureOf(
    {
      id: 'proven',
      title: 'Against the coordinator',
      summary: `Epsilon accounted, estimated by canaries and proven by them over ${reports.length} rounds.`,
      x: roundAxis(reports.map(roundNumber)),
      y: valueAxis('ε so far', [0, ...all]),
      marks: [
        ...line('reference', 'accounted', accounted),
        ...line('second', 'estimated', estimated),
        ...line('first', `proven ${provenText(viewOf(last)?.bound.epsilon ?? 0)}`, proven),
      ],
      readings: reports.map((report) => ({
        x: roundNumber(report),
        text: `round ${roundNumber(report)}: accounted ${epsilonText(report.epsilon.coordinator)}, proven ${provenText(viewOf(report)?.bound.epsilon ?? 0)}`,
      })),
      labelWidth: 134,
    },
    'The proven line must stay below the accounted one. Estimates are not bounds; void ones are left out.',
  );
}

function viewOf({ canaries }: RoundReport): CanaryView | undefined {
  return canaries?.status === 'measured' ? canaries.coordinator : undefined;
}

function alarmNote({ alarm }: RoundReport): Markup | null {
  if (!alarm) return null;
  const found = alarm.map(
    ({ view, bound, accounted }) =>
      `against ${names[view]} at least ${provenText(bound)}, accounted ${epsilonText(accounted)}`,
  );
  return html`<p class="bad"><b>Alarm: the protection is broken.</b> Epsilon is ${found.join('; ')}.</p>`;
}

function redTeamNote({ redTeam }: RoundReport): Markup | null {
  if (!redTeam) return null;
  const count = redTeam.notedOnArrival.length;
  return html`<p class="note">Red team: sites of this simulation break their protection on purpose, and the coordinator notes implausible releases instead of refusing them (${counted(count, 'release')} in this round).</p>`;
}

/** The same for the summary in plain text: lines of a label and a text. */
export function canaryLines({ canaries, epsilon, alarm, redTeam }: RoundReport): [string, string][] {
  const lines: [string, string][] = [];
  if (canaries?.status === 'not-measured') lines.push(['canaries', `not measured: ${canaries.reason}`]);
  if (canaries?.status === 'measured')
    for (const view of views)
      lines.push([
        view === 'coordinator' ? 'canaries' : '',
        `${names[view]}: accounted ${epsilonText(epsilon[view])}, estimated ${estimateText(canaries[view].runEstimate)}, proven at least ${provenText(canaries[view].bound.epsilon)}`,
      ]);
  for (const { view } of alarm ?? [])
    lines.push(['ALARM', `more is proven than accounted against ${names[view]}`]);
  if (redTeam) lines.push(['red team', 'sites break their protection on purpose']);
  return lines;
}
