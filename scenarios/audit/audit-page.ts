import { html, type Markup } from '../report/markup.ts';
import { page } from '../report/page.ts';
import { rangeMark, sharedScale, table } from '../report/table.ts';
import { figure, interval, tprName, tprText } from '../report/words.ts';
import { auditText } from './audit-text.ts';
import { type Audited, type AuditRow, auditRows } from './audited.ts';

/** What an audit found as one self-contained HTML file. */
export function auditHtml(audited: Audited): string {
  return page(audited.title, [
    html`<header><h1>Audit: ${audited.title}</h1></header>`,
    ...[audited.privacy, ...audited.caveats].map((note) =>
      note === null ? html`` : html`<p class="note">${note}</p>`,
    ),
    html`<section id="attacks"><h2>Attacks</h2>${attacksTable(audited)}</section>`,
    html`<section id="text"><h2>As text</h2><pre tabindex="0">${auditText(audited)}</pre></section>`,
  ]);
}

function attacksTable(audited: Audited): Markup {
  const rows = auditRows(audited);
  const scale = sharedScale(rows);
  return table<AuditRow>(
    'Every attack by itself, with its 95 % interval; 0.5 is chance, 1 is disclosure.',
    [
      { header: 'Attack', cell: (row) => `${row.attack}${row.isDeclared ? ' (declared)' : ''}` },
      { header: 'Attacker has', cell: (row) => row.attacker },
      { header: 'AUC', numeric: true, cell: (row) => figure(row.auc) },
      { header: 'Interval', numeric: true, cell: interval },
      { header: 'AUC, chance dotted', cell: (row) => rangeMark(row, scale) },
      ...audited.audit.user.tprAtFpr.map(({ fpr }) => ({
        header: tprName(fpr),
        numeric: true,
        cell: (row: AuditRow) => tprText(row, fpr),
      })),
    ],
    rows,
  );
}
