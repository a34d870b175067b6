import type { GroupResult, ParentGroup, VulnerableUsers } from '../../shared/protocol/audit-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { html, type Markup, type Part } from './markup.ts';
import { rangeMark, sharedScale, table } from './table.ts';
import {
  counted,
  countText,
  figure,
  groupName,
  interval,
  parentName,
  percent,
  plain,
  pText,
  roundNumber,
  tprsText,
} from './words.ts';

/** Groups that the page shows; the worst come first, and the data hold all of them. */
const shown = 30;

/** The subpopulations of one round, the worst first: tested ones by adjusted p-value, then those too small, with the reason. */
export function groupsTable(report: RoundReport): Markup {
  const { groups, multipleTesting } = report.audit;
  if (groups.length === 0) return html`<p>No subpopulation columns were declared.</p>`;
  const sorted = [...groups].sort((a, b) => order(a) - order(b));
  const scale = sharedScale(sorted.flatMap((group) => (group.status === 'tested' ? [group] : [])));
  const method = multipleTesting === 'holm' ? 'Holm' : 'Benjamini-Hochberg';
  const correction = `p-values one-sided, ${method}-adjusted over the tested groups`;
  const caption = `Subpopulations at round ${roundNumber(report)}: ${correction}; intervals that hold together at 95 %.`;
  return html`${table<GroupResult>(
    caption,
    [
      { header: 'Subpopulation', cell: groupName },
      { header: 'Members', numeric: true, cell: ({ members }) => countText(members) },
      { header: 'Held-out', numeric: true, cell: ({ heldOut }) => countText(heldOut) },
      { header: 'AUC', numeric: true, cell: (row) => (row.status === 'tested' ? figure(row.auc) : '–') },
      { header: 'Interval', numeric: true, cell: (row) => (row.status === 'tested' ? interval(row) : '–') },
      {
        header: 'AUC, chance dotted',
        cell: (row) => (row.status === 'tested' ? rangeMark(row, scale) : null),
      },
      {
        header: 'Adjusted p',
        numeric: true,
        cell: (row) => (row.status === 'tested' ? pText(row.pValue) : '–'),
      },
      { header: 'TPR - FPR', numeric: true, cell: advantageCell },
      { header: 'Finding', wide: true, cell: finding },
    ],
    sorted.slice(0, shown),
  )}${leftOutNote(report, sorted.length - shown)}`;
}

function order(group: GroupResult): number {
  return group.status === 'tested' ? group.pValue : 2;
}

function advantageCell(group: GroupResult): string {
  if (group.status !== 'tested' || group.advantage === undefined) return '–';
  const { advantage, low, high } = group.advantage;
  return `${figure(advantage)} ${interval({ low, high })}`;
}

function finding(group: GroupResult): Part {
  if (group.status === 'tested')
    return group.rejected ? html`<span class="bad">leaks</span>` : 'no leakage found';
  const parent = group.fallback === undefined ? '' : `; see ${parentName(group.fallback)}`;
  return html`<span class="soft">not testable: ${group.reason}${parent}</span>`;
}

function leftOutNote({ audit: { pairsLeftOut = [] } }: RoundReport, more: number): Markup {
  const notes = [
    ...(more > 0 ? [`${countText(more)} more in rounds.jsonl.`] : []),
    ...(pairsLeftOut.length > 0
      ? [`Too many combinations to test: ${pairsLeftOut.map(plain).join(', ')}.`]
      : []),
  ];
  return html`${notes.map((note) => html`<p class="note">${note}</p>`)}`;
}

/** The users whom the declared attack accuses first, and the canaries with wrong labels; nothing in reports of older versions. */
export function vulnerableSection({ audit }: RoundReport): Markup | null {
  if (audit.vulnerable === undefined) return null;
  return html`<section id="vulnerable"><h2>Most vulnerable users</h2>${vulnerableTable(audit.vulnerable)}
<p class="note">${topPercentileText(audit.vulnerable)}</p>${mislabelledNote(audit)}</section>`;
}

function vulnerableTable(vulnerable: VulnerableUsers): Markup {
  const { tested, flagged, flaggedMembers, falseDiscoveryRate } = vulnerable;
  const found = `${counted(flagged, 'user')} of ${countText(tested)} accused, ${countText(flaggedMembers)} of them members`;
  return table<VulnerableUsers['users'][number]>(
    `Smallest conformal p-values, roles unseen: ${found}, at a false discovery rate of ${percent(falseDiscoveryRate)} (Benjamini-Hochberg).`,
    [
      { header: 'User', cell: ({ user }) => plain(user) },
      { header: 'Score', numeric: true, cell: ({ score }) => figure(score) },
      { header: 'p', numeric: true, cell: ({ pValue }) => pText(pValue) },
      { header: 'Adjusted p', numeric: true, cell: ({ adjustedPValue }) => pText(adjustedPValue) },
      {
        header: 'p among neighbours',
        numeric: true,
        cell: ({ neighbourPValue }) => (neighbourPValue === undefined ? '–' : pText(neighbourPValue)),
      },
      { header: 'Compared with', cell: ({ comparedWith }) => comparison(comparedWith) },
      { header: 'Groups', wide: true, cell: ({ groups }) => groups.map(plain).join(', ') },
      { header: 'Accused', cell: (row) => (row.flagged ? html`<span class="bad">yes</span>` : 'no') },
      { header: 'In truth', cell: ({ role }) => role },
    ],
    vulnerable.users,
  );
}

function comparison(group: ParentGroup): string {
  return `held-out of ${parentName(group)}`;
}

/** Whom the largest scores belong to, in one sentence. */
export function topPercentileText({ topPercentile: { users, members, low, high } }: VulnerableUsers): string {
  const share = users === 0 ? 'n/a' : `${percent(members / users)} [${percent(low)}, ${percent(high)}]`;
  return `Of the ${counted(users, 'user')} with the largest scores (one in a hundred), ${countText(members)} trained: ${share}.`;
}

function mislabelledNote({ mislabelled }: RoundReport['audit']): Markup | null {
  if (mislabelled === undefined) return null;
  const { members, heldOut, minimumDetectableAuc } = mislabelled;
  return table(
    `Canaries with wrong labels, users who can only be learnt by heart: ${countText(members)} members, ${countText(heldOut)} held-out; 95 % intervals; smallest AUC noticed ${figure(minimumDetectableAuc)}.`,
    [
      { header: 'Attack', cell: ({ attack }) => attack },
      { header: 'AUC', numeric: true, cell: ({ auc }) => figure(auc) },
      { header: 'Interval', numeric: true, cell: interval },
      { header: 'Members found', wide: true, cell: (row) => tprsText(row.tprAtFpr) },
    ],
    [mislabelled],
  );
}
