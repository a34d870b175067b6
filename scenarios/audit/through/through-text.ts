import type { AttackResult } from '../../../shared/protocol/audit-report.ts';
import { textTable } from '../../report/text-table.ts';
import { countText, figure, interval, plain, tprName, tprText } from '../../report/words.ts';
import type { Heard } from './ask.ts';

/** What an audit through an endpoint found. */
export interface AuditedThrough {
  readonly title: string;
  /** People whom the attacks are measured on. */
  readonly members: number;
  readonly heldOut: number;
  /** People whose membership an attack was told. */
  readonly trainedOn: number;
  readonly attacks: readonly AttackResult[];
  /** Why perturbed copies were not answered; null where they were, or nobody asked. */
  readonly notMeasured: string | null;
  /** What the monitor made of it. */
  readonly heard: Heard;
}

/** The same for the terminal. Ends with a line break. */
export function throughText({ title, members, heldOut, trainedOn, ...found }: AuditedThrough): string {
  const { attacks, notMeasured, heard } = found;
  const fprs = attacks[0]?.tprAtFpr.map(({ fpr }) => fpr) ?? [];
  const lines = [
    plain(title),
    `${countText(members)} members, ${countText(heldOut)} held-out users; an attack was trained on ${countText(trainedOn)} others`,
    '',
    ...textTable(
      ['attack on answers', 'AUC', '95 % interval', ...fprs.map(tprName)],
      attacks.map((row) => [
        row.attack,
        figure(row.auc),
        interval(row),
        ...fprs.map((fpr) => tprText(row, fpr)),
      ]),
    ),
    ...(notMeasured === null ? [] : [`label of perturbed copies: not measured, ${plain(notMeasured)}`]),
    '',
    `the endpoint: ${countText(heard.asked)} records asked about, standing ${plain(heard.standing)}`,
    ...heard.alarms.map(
      ({ detector, after }) => `${plain(detector)} noticed after ${countText(after)} records`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}
