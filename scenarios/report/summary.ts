import { siloStamp } from '../../shared/model/silo/silo-defence.ts';
import type { MislabelledStratum, VulnerableUsers } from '../../shared/protocol/audit-report.ts';
import type { Manifest } from '../../shared/protocol/manifest.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { canaryLines } from './canaries.ts';
import { pruningLines } from './pruning.ts';
import {
  attacksOf,
  bestRound,
  combinedText,
  controlsPassed,
  declaredUsers,
  fprsOf,
  isSiloLevel,
  isSimulation,
  totalSeconds,
} from './run.ts';
import { textTable } from './text-table.ts';
import { verdict } from './verdict.ts';
import {
  clipNormText,
  counted,
  countText,
  deltaText,
  epsilonText,
  figure,
  groupName,
  interval,
  measuredTpr,
  percent,
  plain,
  pText,
  roundNumber,
  secondsText,
  siloText,
  simulationStamp,
  tprName,
  tprsText,
  tprText,
  utilityName,
} from './words.ts';

/**
 * The end of a run in plain text: utility, epsilon in both views, what the attacks found at the last round, controls,
 * refused messages, model and time. Ends with a line break. `reports` are the finished rounds in order; none is fine.
 */
export function summaryTable(manifest: Manifest, reports: readonly RoundReport[]): string {
  const last = reports.at(-1);
  const lines = [
    ...heading(manifest, reports),
    '',
    ...(last === undefined ? ['no round was finished'] : figures(reports, last)),
    ...publishedLines(manifest),
  ];
  return `${lines.join('\n')}\n`;
}

function heading(manifest: Manifest, reports: readonly RoundReport[]): string[] {
  const planned = reports.at(-1)?.rounds;
  const rounds = planned === undefined ? '0 rounds' : `${reports.length} of ${counted(planned, 'round')}`;
  const seed = manifest.seed === null ? '' : `, seed ${manifest.seed}`;
  return [
    `${plain(manifest.name)} (run ${manifest.run}${seed})`,
    `${rounds}, ${counted(manifest.sites.length, 'site')}, ${counted(declaredUsers(manifest), 'declared user')}`,
    ...(isSimulation({ manifest, reports }) ? [simulationStamp] : []),
    ...(isSiloLevel({ manifest, reports }) ? [siloStamp] : []),
  ];
}

function figures(reports: readonly RoundReport[], last: RoundReport): string[] {
  const { title, sentences } = verdict(reports);
  return [
    ...labelled([
      ['utility', utilityText(reports, last)],
      ['epsilon', epsilonLine(last)],
      ...siloLines(last),
      ...clippingLines(last),
      ...pruningLines(reports, last),
      ...canaryLines(last),
      ['user-MIA', attackText(last)],
      ['worst group', groupText(last)],
      ...vulnerableLines(last),
      ['control', controlText(reports, last)],
      ['detectable', `AUC ${figure(last.audit.minimumDetectableAuc)} (power 0.8 at level 0.05)`],
      ['refused', refusedText(last)],
      ['model', `sha256 ${last.modelSha256}`],
      ['time', timeText(reports)],
    ]),
    '',
    ...attackLines(last),
    '',
    title,
    ...sentences,
  ];
}

function labelled(lines: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...lines.map(([label]) => label.length));
  return lines.map(([label, text]) => `${label.padEnd(width)}  ${text}`);
}

function utilityText(reports: readonly RoundReport[], last: RoundReport): string {
  const [first] = reports;
  const best = bestRound(reports);
  const { value, accuracy, loss, heldOutRecords } = last.utility;
  return [
    `${utilityName(last)} last ${figure(value)}`,
    first === undefined ? '' : `, first ${figure(first.utility.value)}`,
    best === undefined ? '' : `, best ${figure(best.utility.value)} (round ${roundNumber(best)})`,
    `; accuracy ${figure(accuracy)}, loss ${figure(loss)} on ${counted(heldOutRecords, 'held-out record')}`,
  ].join('');
}

function epsilonLine({ epsilon: { coordinator, recipients, delta, limit } }: RoundReport): string {
  const of = limit === null ? ', no limit' : ` of ${limit.toFixed(2)}`;
  return `coordinator ${epsilonText(coordinator)}${of}; model recipients ${epsilonText(recipients)}; delta ${deltaText(delta)}; per user, add or remove one`;
}

function siloLines({ silo }: RoundReport): [string, string][] {
  return silo ? [['silo-level', siloText(silo)]] : [];
}

function clippingLines({ clipping }: RoundReport): [string, string][] {
  if (!clipping) return [];
  const { clipNorm, fractionWithin, nextClipNorm } = clipping;
  const within = `${percent(fractionWithin)} of the users within it, noised`;
  return [
    ['clip norm', `${clipNormText(clipNorm)}, ${within}; ${clipNormText(nextClipNorm)} after this round`],
  ];
}

function attackText({ audit }: RoundReport): string {
  const tprs = audit.user.tprAtFpr.map(({ fpr }) => {
    const found = measuredTpr(audit.user, fpr);
    const range = found === undefined ? '' : ` [${percent(found.low)}, ${percent(found.high)}]`;
    return `, ${tprName(fpr)} ${tprText(audit.user, fpr)}${range}`;
  });
  const groups = `${countText(audit.members)} members, ${countText(audit.heldOut)} held-out, ${countText(audit.reference)} reference`;
  return `AUC ${figure(audit.user.auc)} ${interval(audit.user)}${tprs.join('')}; ${groups}`;
}

function groupText({ audit: { worstGroup, groups, multipleTesting } }: RoundReport): string {
  const tested = groups.filter(({ status }) => status === 'tested').length;
  const scope = `${counted(tested, 'group')} tested, ${groups.length - tested} not testable`;
  if (worstGroup === null) return `n/a (${scope})`;
  return `${groupName(worstGroup)} AUC ${figure(worstGroup.auc)} ${interval(worstGroup)} ${pText(worstGroup.pValue)} (${multipleTesting}; ${scope})`;
}

function vulnerableLines({ audit: { vulnerable, mislabelled } }: RoundReport): [string, string][] {
  const lines: [string, string][] = [];
  if (vulnerable) lines.push(['vulnerable', vulnerableText(vulnerable)]);
  if (mislabelled) lines.push(['mislabelled', mislabelledText(mislabelled)]);
  return lines;
}

function vulnerableText({ users, tested, flagged, flaggedMembers }: VulnerableUsers): string {
  const [first] = users;
  const worst = first === undefined ? '' : `; first ${plain(first.user)} ${pText(first.pValue)}`;
  return `${countText(flagged)} of ${counted(tested, 'user')} accused, ${countText(flaggedMembers)} of them members${worst}`;
}

function mislabelledText({ members, heldOut, tprAtFpr, ...result }: MislabelledStratum): string {
  const canaries = `${countText(members)} member and ${countText(heldOut)} held-out canaries`;
  return `AUC ${figure(result.auc)} ${interval(result)}, ${tprsText(tprAtFpr)}; ${canaries}`;
}

function controlText(reports: readonly RoundReport[], last: RoundReport): string {
  const { negativeControl: control } = last.audit;
  const passed = reports.filter(({ audit }) => controlsPassed(audit)).length;
  const outcome = controlsPassed(last.audit) ? 'passed' : 'FAILED';
  const planted = last.audit.positiveControl;
  const found = planted
    ? `; a planted leak of ${figure(planted.plantedAuc)} ${planted.passed ? 'found' : 'NOT FOUND'}`
    : '';
  return `${outcome}, AUC ${figure(control.auc)} ${interval(control)} on permuted labels${found}; passed in ${passed} of ${counted(reports.length, 'round')}`;
}

function refusedText({ refused }: RoundReport): string {
  const codes = Object.entries(refused);
  const total = codes.reduce((sum, [, count]) => sum + count, 0);
  const detail = codes.map(([code, count]) => `${plain(code)} ${countText(count)}`).join(', ');
  return total === 0 ? 'no messages' : `${counted(total, 'message')}: ${detail}`;
}

function timeText(reports: readonly RoundReport[]): string {
  const total = totalSeconds(reports);
  return `${secondsText(total)}, ${secondsText(total / reports.length)} a round`;
}

function attackLines(last: RoundReport): string[] {
  const fprs = fprsOf(last);
  const combined = combinedText(last);
  const rows = textTable(
    [`attacks at round ${roundNumber(last)}`, 'AUC', '95 % interval', ...fprs.map(tprName)],
    attacksOf(last).map((result) => [
      `${plain(result.attack)}${result === last.audit.user ? ' (declared)' : ''}`,
      figure(result.auc),
      interval(result),
      ...fprs.map((fpr) => tprText(result, fpr)),
    ]),
  );
  const notMeasured = last.audit.notMeasured.map(
    ({ attack, reason }) => `${plain(attack)}: not measured, ${reason}`,
  );
  return [...rows, ...(combined === undefined ? [] : [combined]), ...notMeasured];
}

function publishedLines({ published }: Manifest): string[] {
  if (published.length === 0) return [];
  const rows = published.map(({ metric, value, source, note }) => [
    metric,
    figure(value),
    plain(source),
    plain(note),
  ]);
  return ['', ...textTable(['published', 'value', 'source', 'note'], rows, ['source', 'note'])];
}
