import { type AuditOptions, type Evidence, offlineLira, onlineLira } from '../../coordinator/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import { aucInterval, tprAtFpr } from '../../shared/stats/interval.ts';
import { meanMargins, type ShadowSignals } from './shadows.ts';

/** The likelihood-ratio attacks (LiRA): with shadows of both kinds or of non-members only, each with either spread. */
const variants = {
  'lira-online-fixed': (target, shadows) => onlineLira(target, shadows, 'fixed'),
  'lira-online': (target, shadows) => onlineLira(target, shadows, 'per-user'),
  'lira-offline-fixed': (target, shadows) => offlineLira(target, shadows, 'fixed'),
  'lira-offline': (target, shadows) => offlineLira(target, shadows, 'per-user'),
} satisfies Record<string, (target: Float64Array, shadows: ShadowSignals) => Float64Array>;

/**
 * Likelihood-ratio attacks on the member and held-out users of a run, from shadow federations, for people and for mislabelled
 * canaries apart; the statistic is each user's mean margin. Users whom some shadows left without enough of either kind are
 * left out by all variants alike. Throws DATA_EMPTY where nobody of both roles is left.
 */
export function likelihoodRatios(
  evidence: Evidence,
  shadows: ShadowSignals,
  options: AuditOptions,
): { readonly ofPeople: AttackResult[]; readonly ofMislabelled: AttackResult[] } {
  const { roles, mislabelled } = evidence.population;
  const kept = usable(shadows, roles.length).filter((user) => roles[user] !== 'reference');
  const isCanary = (user: number): boolean => mislabelled?.[user] === 1;
  return {
    ofPeople: ratiosOf(
      evidence,
      shadows,
      kept.filter((user) => !isCanary(user)),
      options,
    ),
    ofMislabelled: mislabelled?.includes(1)
      ? ratiosOf(evidence, shadows, kept.filter(isCanary), options)
      : [],
  };
}

function ratiosOf(
  evidence: Evidence,
  shadows: ShadowSignals,
  kept: readonly number[],
  { fprs, level }: AuditOptions,
): AttackResult[] {
  const { roles } = evidence.population;
  const target = meanMargins(evidence);
  const own = Float64Array.from(kept, (user) => target[user] ?? Number.NaN);
  const ofKept = onlyUsers(shadows, kept, roles.length);
  return Object.entries(variants).map(([attack, scoresOf]) => {
    const scores = scoresOf(own, ofKept);
    const of = (role: string): Float64Array => scores.filter((_, index) => roles[kept[index] ?? -1] === role);
    const [members, heldOut] = [of('member'), of('held-out')];
    assertSome(members, heldOut, shadows.numShadows);
    return {
      attack,
      ...aucInterval(members, heldOut, level),
      tprAtFpr: fprs.map((fpr) => tprAtFpr(members, heldOut, fpr, level)),
    };
  });
}

function assertSome(members: Float64Array, heldOut: Float64Array, numShadows: number): void {
  if (members.length > 0 && heldOut.length > 0) return;
  throw new ParleyError(
    'DATA_EMPTY',
    `${numShadows} shadow federations leave ${members.length} members and ${heldOut.length} held-out users of whom two could ` +
      'train on them and two could not; train more shadows (--shadows), or audit a run with more audit users',
  );
}

/** Users who trained in at least two shadows and were held out in at least two. */
function usable({ isMember, numShadows }: ShadowSignals, numUsers: number): number[] {
  return Array.from({ length: numUsers }, (_, user) => user).filter((user) => {
    let trained = 0;
    for (let shadow = 0; shadow < numShadows; shadow++) trained += isMember[shadow * numUsers + user] ?? 0;
    return trained >= 2 && numShadows - trained >= 2;
  });
}

function onlyUsers(shadows: ShadowSignals, kept: readonly number[], numUsers: number): ShadowSignals {
  const { numShadows } = shadows;
  const phi = new Float64Array(numShadows * kept.length);
  const isMember = new Uint8Array(phi.length);
  for (let shadow = 0; shadow < numShadows; shadow++)
    for (const [index, user] of kept.entries()) {
      const [to, from] = [shadow * kept.length + index, shadow * numUsers + user];
      phi[to] = shadows.phi[from] ?? Number.NaN;
      isMember[to] = shadows.isMember[from] ?? 0;
    }
  return { numShadows, phi, isMember };
}
