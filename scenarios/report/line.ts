import type { RoundReport } from '../../shared/protocol/report.ts';
import { sparsityText } from './pruning.ts';
import { controlsPassed } from './run.ts';
import {
  clipNormText,
  deltaText,
  epsilonText,
  figure,
  groupName,
  interval,
  plain,
  provenText,
  pText,
  roundNumber,
  secondsText,
  siloText,
  tprName,
  tprText,
  utilityName,
} from './words.ts';

const declaredFpr = 0.01;

/**
 * One round on one line: what the model is worth, what was promised (epsilon against the coordinator, over the limit when
 * there is one; the clip norm where it adapts, the sparsity where it prunes) and what the declared attack found, then whatever went wrong. ASCII apart from names in the data; rounds
 * are shown from 1; the simulation's stamp stands elsewhere, once, and that of silo-level training here.
 */
export function roundLine(report: RoundReport): string {
  const { sites, audit, utility } = report;
  return [
    `round ${roundNumber(report)}/${report.rounds}`,
    `${sites.answered.length}/${sites.asked.length} sites`,
    `${utilityName(report)} ${figure(utility.value)}`,
    epsilonPart(report.epsilon),
    ...(report.silo ? [siloText(report.silo)] : []),
    ...clippingPart(report),
    ...(report.pruning ? [sparsityText(report.pruning)] : []),
    `user-MIA AUC ${figure(audit.user.auc)} ${interval(audit.user)}`,
    `${tprName(declaredFpr)} ${tprText(audit.user, declaredFpr)}`,
    worstGroupPart(audit.worstGroup),
    secondsText(report.seconds),
    ...exceptions(report),
  ].join('  ');
}

function epsilonPart({ coordinator, limit, delta }: RoundReport['epsilon']): string {
  if (coordinator === 'infinite' && limit === null) return 'eps inf';
  const over = limit === null ? '' : `/${limit.toFixed(2)}`;
  return `eps ${epsilonText(coordinator)}${over} (d=${deltaText(delta)})`;
}

function clippingPart({ clipping }: RoundReport): string[] {
  return clipping ? [`clip norm ${clipNormText(clipping.clipNorm)}`] : [];
}

function worstGroupPart(group: RoundReport['audit']['worstGroup']): string {
  if (group === null) return 'worst group n/a';
  return `worst group ${groupName(group)} ${figure(group.auc)} ${pText(group.pValue)}`;
}

const policyWords = { warn: 'WARN', 'roll-back': 'ROLL BACK', stop: 'STOP' } as const;

function exceptions({ sites, policy, audit, alarm = [] }: RoundReport): string[] {
  const declined = sites.declined.map(({ site, code }) => `${site} (${plain(code)})`);
  const parts: string[] = [];
  if (declined.length > 0) parts.push(`declined: ${declined.join(', ')}`);
  if (sites.missing.length > 0) parts.push(`missing: ${sites.missing.join(', ')}`);
  if (policy.action !== 'go-on') {
    parts.push([policyWords[policy.action], policy.reasons.map(plain).join('; ')].filter(Boolean).join(' '));
  }
  for (const { view, bound, accounted } of alarm)
    parts.push(
      `ALARM eps against ${view} is at least ${provenText(bound)}, accounted ${epsilonText(accounted)}`,
    );
  if (!controlsPassed(audit)) parts.push('CONTROL FAILED');
  return parts;
}
