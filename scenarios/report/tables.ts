import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import type { Manifest, PublishedFigure } from '../../shared/protocol/manifest.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { html, type Markup, type Part } from './markup.ts';
import { attacksOf, combinedText, controlsPassed, fprsOf } from './run.ts';
import { type Column, rangeMark, sharedScale, table } from './table.ts';
import {
  clipNormText,
  counted,
  countText,
  epsilonText,
  figure,
  interval,
  measuredTpr,
  percent,
  roundNumber,
  secondsText,
  tprName,
  tprText,
} from './words.ts';

/** The declared attack of one round, all its figures and what they rest on. */
export function declaredTable({ audit }: RoundReport): Markup {
  const { user, negativeControl: control } = audit;
  const facts: [string, string][] = [
    ['AUC', `${figure(user.auc)} ${interval(user)}`],
    ...user.tprAtFpr.map(({ fpr }): [string, string] => [tprName(fpr), tprCell(user, fpr)]),
    [
      'Negative control',
      `${figure(control.auc)} ${interval(control)}, ${control.passed ? 'passed' : 'FAILED'}`,
    ],
    ...plantedFacts(audit),
    ['Smallest AUC noticed', `${figure(audit.minimumDetectableAuc)}, four times in five`],
    ['Members', countText(audit.members)],
    ['Held-out users', countText(audit.heldOut)],
    ['Reference users', countText(audit.reference)],
  ];
  return table<[string, string]>(
    `${user.attack}, declared before the run; 95 % intervals.`,
    [
      { header: 'Figure', cell: ([name]) => name },
      { header: 'Value', cell: ([, value]) => value },
    ],
    facts,
  );
}

function plantedFacts({ positiveControl: control }: RoundReport['audit']): [string, string][] {
  if (!control) return [];
  const found = `${figure(control.auc)} ${interval(control)}`;
  const planted = `planted ${figure(control.plantedAuc)}`;
  return [['Positive control', `${found}, ${planted}, ${control.passed ? 'passed' : 'FAILED'}`]];
}

/** The combined attack with those it was evaluated on, and the attacks that had nothing to work on, with the reason. */
export function attackNotes(report: RoundReport): Markup {
  const notMeasured = report.audit.notMeasured.map(
    ({ attack, reason }) => html`<li>${attack}: not measured, ${reason}</li>`,
  );
  const combined = combinedText(report);
  return html`<ul class="soft">${combined === undefined ? null : html`<li>${combined}</li>`}${notMeasured}</ul>`;
}

/** All attacks of one round with their intervals, the declared one first. */
export function attacksTable(report: RoundReport): Markup {
  const attacks = attacksOf(report);
  const scale = sharedScale(attacks);
  const caption = `All attacks at round ${roundNumber(report)}; 95 % intervals for each attack by itself.`;
  return table<AttackResult>(
    caption,
    [
      { header: 'Attack', cell: (row) => attackName(row, report) },
      { header: 'AUC', numeric: true, cell: ({ auc }) => figure(auc) },
      { header: 'Interval', numeric: true, cell: interval },
      { header: 'AUC, chance dotted', cell: (row) => rangeMark(row, scale) },
      ...fprsOf(report).map(
        (fpr): Column<AttackResult> => ({
          header: tprName(fpr),
          numeric: true,
          cell: (row) => tprCell(row, fpr),
        }),
      ),
    ],
    attacks,
  );
}

function attackName(row: AttackResult, { audit }: RoundReport): Markup {
  return html`${row.attack}${row === audit.user ? html` <span class="soft">(declared)</span>` : null}`;
}

function tprCell(row: AttackResult, fpr: number): string {
  const found = measuredTpr(row, fpr);
  if (found !== undefined) return `${percent(found.tpr)} [${percent(found.low)}, ${percent(found.high)}]`;
  const entry = row.tprAtFpr.find((other) => other.fpr === fpr);
  return entry?.status === 'not-testable' ? `needs ${countText(entry.nonMembersNeeded)} held-out` : 'n/a';
}

/** Each site with its declared and audit users and how it took part over the rounds. */
export function sitesTable(manifest: Manifest, reports: readonly RoundReport[]): Markup {
  const rounds = (of: (sites: RoundReport['sites']) => readonly string[], id: string): number =>
    reports.filter(({ sites }) => of(sites).includes(id)).length;
  const declinedIn = ({ declined }: RoundReport['sites']): string[] => declined.map(({ site }) => site);
  return table<Manifest['sites'][number]>(
    `Sites over ${counted(reports.length, 'finished round')}.`,
    [
      { header: 'Site', cell: ({ id }) => id },
      { header: 'Declared users', numeric: true, cell: ({ declaredUsers }) => countText(declaredUsers) },
      { header: 'Members', numeric: true, cell: ({ members }) => countText(members) },
      { header: 'Held-out', numeric: true, cell: ({ heldOut }) => countText(heldOut) },
      { header: 'Reference', numeric: true, cell: ({ reference }) => countText(reference) },
      { header: 'Asked', numeric: true, cell: ({ id }) => rounds(({ asked }) => asked, id) },
      { header: 'Answered', numeric: true, cell: ({ id }) => rounds(({ answered }) => answered, id) },
      { header: 'Missing', numeric: true, cell: ({ id }) => rounds(({ missing }) => missing, id) },
      { header: 'Declined', numeric: true, cell: ({ id }) => rounds(declinedIn, id) },
      { header: 'Last reason', wide: true, cell: ({ id }) => lastReason(reports, id) },
    ],
    manifest.sites,
  );
}

function lastReason(reports: readonly RoundReport[], id: string): Part {
  const declines = reports.flatMap(({ sites }) => sites.declined.filter(({ site }) => site === id));
  const last = declines.at(-1);
  return last === undefined ? null : html`<code>${last.code}</code> ${last.detail}`;
}

const publishedNames: Readonly<Record<PublishedFigure['metric'], string>> = {
  auc: 'test AUC',
  accuracy: 'test accuracy',
  'attack-auc': 'attack AUC',
};

/** Figures from the literature beside the run's own at its last round. */
export function publishedTable(published: readonly PublishedFigure[], last: RoundReport | undefined): Markup {
  return table<PublishedFigure>(
    'Published figures beside those of this run at its last round. Set-ups differ: see the notes.',
    [
      { header: 'Source', wide: true, cell: ({ source }) => source },
      { header: 'Figure', cell: ({ metric }) => publishedNames[metric] },
      { header: 'Published', numeric: true, cell: ({ value }) => figure(value) },
      { header: 'This run', numeric: true, cell: ({ metric }) => ours(metric, last) },
      { header: 'Note', wide: true, cell: ({ note }) => note },
    ],
    published,
  );
}

function ours(metric: PublishedFigure['metric'], last: RoundReport | undefined): string {
  if (last === undefined) return 'n/a';
  if (metric === 'attack-auc') return `${figure(last.audit.user.auc)} ${interval(last.audit.user)}`;
  if (metric === 'accuracy') return figure(last.utility.accuracy);
  return last.utility.metric === 'auc' ? figure(last.utility.value) : 'n/a';
}

/** Every finished round with the figures that the charts show. */
export function roundsTable(reports: readonly RoundReport[]): Markup {
  return table<RoundReport>(
    'Rounds are shown from 1; the data files count them from 0.',
    [
      { header: 'Round', numeric: true, cell: roundNumber },
      {
        header: 'Sites',
        numeric: true,
        cell: ({ sites }) => `${sites.answered.length}/${sites.asked.length}`,
      },
      { header: 'Utility', numeric: true, cell: ({ utility }) => figure(utility.value) },
      { header: 'ε coordinator', numeric: true, cell: ({ epsilon }) => epsilonText(epsilon.coordinator) },
      { header: 'ε recipients', numeric: true, cell: ({ epsilon }) => epsilonText(epsilon.recipients) },
      { header: 'ε by RDP', numeric: true, cell: rdpCell },
      ...clippingColumns(reports),
      {
        header: 'Attack AUC',
        numeric: true,
        cell: ({ audit }) => `${figure(audit.user.auc)} ${interval(audit.user)}`,
      },
      { header: 'TPR@1%', numeric: true, cell: ({ audit }) => tprText(audit.user, 0.01) },
      { header: 'Controls', cell: ({ audit }) => passedText(controlsPassed(audit)) },
      { header: 'Policy', cell: ({ policy }) => policy.action },
      { header: 'Time', numeric: true, cell: ({ seconds }) => secondsText(seconds) },
    ],
    reports,
  );
}

/** Both views by Renyi divergences, the coordinator's first. */
function rdpCell({ epsilon: { rdp } }: RoundReport): string {
  return rdp ? `${epsilonText(rdp.coordinator)}, ${epsilonText(rdp.recipients)}` : '–';
}

/** Only where the clip norm adapts. */
function clippingColumns(reports: readonly RoundReport[]): Column<RoundReport>[] {
  if (!reports.some(({ clipping }) => clipping)) return [];
  return [
    {
      header: 'Clip norm C',
      numeric: true,
      cell: ({ clipping }) => (clipping ? clipNormText(clipping.clipNorm) : '–'),
    },
    {
      header: 'Within C, noised',
      numeric: true,
      cell: ({ clipping }) => (clipping ? percent(clipping.fractionWithin) : '–'),
    },
  ];
}

function passedText(passed: boolean): Part {
  return passed ? 'passed' : html`<span class="bad">failed</span>`;
}
