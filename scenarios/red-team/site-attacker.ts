import { type AuditOptions, auditRound, type Evidence, evidenceOfUsers } from '../../coordinator/index.ts';
import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import type { Rng } from '../../shared/random/rng.ts';

/** Attacks that a site makes, the last three with its own users as calibration. */
const attacksOfASite = new Set(['mean-log-ratio', 'mean-log-ratio-by-size', 'rmia', 'quantile']);

/** What a site's attack found, and on how many users of the other sites. */
export interface SiteAttack {
  readonly results: readonly AttackResult[];
  readonly members: number;
  readonly heldOut: number;
}

/**
 * One member site attacks the users of all the others from the global models alone. It knows which of its own users never
 * trained: they calibrate, as reference users do for the coordinator; those who trained are left out. The site with most audit
 * users attacks. Undefined with fewer than two sites.
 */
export async function siteAttack(
  evidence: Evidence,
  options: AuditOptions,
  means: { readonly rng: Rng; readonly pause: () => Promise<void> },
): Promise<SiteAttack | undefined> {
  const seen = asSeenBySite(evidence);
  if (seen === undefined) return undefined;
  const { report } = await auditRound(seen, { ...options, attack: 'mean-log-ratio' }, means);
  const results = [report.user, ...report.attacks].filter(({ attack }) => attacksOfASite.has(attack));
  return { results, members: report.members, heldOut: report.heldOut };
}

/** The evidence with the attacker's own non-members as reference users, and none of the others'. */
function asSeenBySite(evidence: Evidence): Evidence | undefined {
  const { roles, subpopulations, mislabelled } = evidence.population;
  const sites = subpopulations.find(({ column }) => column === 'site');
  if (sites === undefined || new Set(sites.codes).size < 2) return undefined;
  const attacker = mostFrequent(sites.codes);
  const isOwn = (user: number): boolean => sites.codes[user] === attacker;
  const takesPart = (user: number): boolean =>
    mislabelled?.[user] !== 1 && (isOwn(user) ? roles[user] !== 'member' : roles[user] !== 'reference');
  const users = Int32Array.from(roles.keys()).filter(takesPart);
  const seen = evidenceOfUsers(evidence, users);
  const asSeen = Array.from(users, (user) => (isOwn(user) ? 'reference' : (roles[user] ?? 'reference')));
  return { ...seen, population: { ...seen.population, roles: asSeen } };
}

function mostFrequent(codes: Int32Array): number {
  const counts = new Map<number, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].reduce<[number, number]>((most, next) => (next[1] > most[1] ? next : most), [-1, 0])[0];
}
