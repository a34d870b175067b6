import { combinedText, controlsPassed } from '../report/run.ts';
import { textTable } from '../report/text-table.ts';
import { countText, figure, groupName, interval, plain, pText, tprName, tprText } from '../report/words.ts';
import { type Audited, auditRows } from './audited.ts';

/** What an audit found, for the terminal. Ends with a line break. */
export function auditText(audited: Audited): string {
  const { title, privacy, caveats, audit } = audited;
  const combined = combinedText(audited);
  const fprs = audit.user.tprAtFpr.map(({ fpr }) => fpr);
  const lines = [
    plain(title),
    `${countText(audit.members)} members, ${countText(audit.heldOut)} held-out, ${countText(audit.reference)} reference users`,
    `controls ${controlsPassed(audit) ? 'passed' : 'FAILED: the figures below mean nothing'}; ` +
      `an AUC of ${figure(audit.minimumDetectableAuc)} would be noticed four times in five`,
    ...(privacy === null ? [] : [privacy]),
    ...caveats,
    '',
    ...textTable(
      ['attack', 'attacker has', 'AUC', '95 % interval', ...fprs.map(tprName)],
      auditRows(audited).map((row) => [
        `${plain(row.attack)}${row.isDeclared ? ' (declared)' : ''}`,
        row.attacker,
        figure(row.auc),
        interval(row),
        ...fprs.map((fpr) => tprText(row, fpr)),
      ]),
      ['attacker has'],
    ),
    ...(combined === undefined ? [] : [combined]),
    ...audit.notMeasured.map(({ attack, reason }) => `${plain(attack)}: not measured, ${reason}`),
    '',
    groupLine(audited),
  ];
  return `${lines.join('\n')}\n`;
}

function groupLine({ audit: { worstGroup, groups } }: Audited): string {
  const tested = groups.filter(({ status }) => status === 'tested').length;
  const scope = `${tested} groups tested, ${groups.length - tested} not testable`;
  if (worstGroup === null) return `worst group: n/a (${scope})`;
  return `worst group: ${groupName(worstGroup)}, AUC ${figure(worstGroup.auc)} ${interval(worstGroup)}, ${pText(worstGroup.pValue)} (${scope})`;
}
