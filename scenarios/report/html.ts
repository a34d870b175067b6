import type { Manifest } from '../../shared/protocol/manifest.ts';
import { canarySection } from './canaries.ts';
import { attackChart, epsilonChart, rocChart, tprChart, utilityChart } from './charts.ts';
import { claimsSection } from './claims.ts';
import { groupsTable, vulnerableSection } from './group-tables.ts';
import { headlineSection, pageHeader, verdictBox } from './headline.ts';
import { html, type Markup } from './markup.ts';
import { page } from './page.ts';
import { pruningSection } from './pruning.ts';
import { isSimulation, type ReportedRun, type SeedRun } from './run.ts';
import { seedsBody } from './seeds-sections.ts';
import { table } from './table.ts';
import {
  attackNotes,
  attacksTable,
  declaredTable,
  publishedTable,
  roundsTable,
  sitesTable,
} from './tables.ts';
import { counted, countText, roundNumber } from './words.ts';

/**
 * The report of one run as one self-contained HTML file: no script, nothing from elsewhere, charts as inline SVG,
 * everything from data escaped. `reports` are the finished rounds in order; none is fine.
 */
export function reportHtml(run: ReportedRun): string {
  const { manifest, reports } = run;
  const last = reports.at(-1);
  const measured =
    last === undefined
      ? [verdictBox(reports)]
      : [
          headlineSection(reports, last),
          html`<section id="rounds"><h2>Over ${counted(reports.length, 'round')}</h2><div class="charts">
${utilityChart(reports, last)}${epsilonChart(reports, last)}${attackChart(reports, last)}${tprChart(reports)}</div></section>`,
          ...canarySection(reports, last),
          ...pruningSection(reports, last),
          html`<section id="attacks"><h2>Attacks at round ${roundNumber(last)}</h2><div class="charts">${rocChart(last)}${declaredTable(last)}</div>${attacksTable(last)}${attackNotes(last)}</section>`,
          html`<section id="subpopulations"><h2>Subpopulations</h2>${groupsTable(last)}</section>`,
          ...[vulnerableSection(last)].filter((section) => section !== null),
        ];
  return page(manifest.name, [
    pageHeader(run),
    ...measured,
    html`<section id="sites"><h2>Sites</h2>${sitesTable(manifest, reports)}${refused(run)}</section>`,
    ...publishedSection(run),
    claimsSection(last, isSimulation(run)),
    configurationSection(run),
  ]);
}

/** The report of one scenario over several seeds: mean and standard deviation beside what was published, and every seed. */
export function seedsHtml(runs: readonly SeedRun[]): string {
  return page(runs[0]?.manifest.name ?? 'No runs', seedsBody(runs));
}

function refused({ reports }: ReportedRun): Markup {
  const codes = Object.entries(reports.at(-1)?.refused ?? {}).filter(([, count]) => count > 0);
  if (codes.length === 0) return html`<p class="note">No message was refused.</p>`;
  const list = codes.map(([code, count]) => `${code} ${countText(count)}`).join(', ');
  return html`<p class="note">Messages refused in this run: ${list}.</p>`;
}

function publishedSection({ manifest, reports }: ReportedRun): Markup[] {
  if (manifest.published.length === 0) return [];
  return [
    html`<section id="published"><h2>Published figures beside ours</h2>${publishedTable(manifest.published, reports.at(-1))}</section>`,
  ];
}

function configurationSection({ manifest, reports }: ReportedRun): Markup {
  const last = reports.at(-1);
  const hashes: [string, string][] = [
    ['Initial model, sha256', manifest.initialModelSha256],
    ...(last === undefined ? [] : [['Last model, sha256', last.modelSha256] as [string, string]]),
    ...versions(manifest),
  ];
  const columns = [
    { header: 'What', cell: ([name]: [string, string]) => name },
    { header: 'Which', cell: ([, value]: [string, string]) => html`<code>${value}</code>` },
  ];
  return html`<section id="configuration"><h2>Configuration, versions, hashes</h2>
${table('What ran.', columns, hashes)}
<details><summary>Configuration with every default</summary><pre tabindex="0">${JSON.stringify(manifest.config, null, 2)}</pre></details>
${last === undefined ? null : html`<details><summary>Figures of every round</summary>${roundsTable(reports)}</details>`}</section>`;
}

function versions({ versions }: Manifest): [string, string][] {
  return Object.entries(versions).map(([name, version]) => [name, version]);
}
