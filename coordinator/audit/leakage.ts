import type { Leakage } from '../../shared/protocol/pruning-report.ts';
import { lossQuantiles } from '../../shared/protocol/pruning-report.ts';
import { quantilesOf } from '../../shared/stats/quantiles.ts';
import { type AuditOptions, declaredAttack } from './audit-round.ts';
import { type Evidence, meanByUser } from './evidence.ts';
import { scoresByRole } from './population.ts';
import { evidenceOfUsers, ordinaryUsers } from './subset.ts';
import { utilityOf } from './utility.ts';

/**
 * What a model is worth, what the declared attack finds of it, and how the mean losses of members and held-out users lie: enough
 * to say what a step between two models did, at a fraction of an audit. Of ordinary users.
 *
 * @throws as `auditRound`.
 */
export function leakageOf(everyone: Evidence, options: AuditOptions): Leakage {
  const evidence = evidenceOfUsers(everyone, ordinaryUsers(everyone.population));
  const { population, current } = evidence;
  const losses = scoresByRole(
    population,
    meanByUser(population, (record) => current.loss[record] ?? NaN),
  );
  return {
    utility: utilityOf(population, current),
    user: declaredAttack(evidence, options),
    memberLosses: quantilesOf(losses.members, lossQuantiles),
    heldOutLosses: quantilesOf(losses.heldOut, lossQuantiles),
  };
}
