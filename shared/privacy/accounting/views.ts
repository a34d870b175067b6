import { appendEvent } from './entries.ts';
import { type LedgerEntry, type MechanismEvent, withNoiseTimes } from './event.ts';

/**
 * The two adversaries of a run whose sites add full noise each (`local` mode), always named: the same releases cost a user
 * less against somebody who sees less. Neighbouring: one user of one site added or removed. Sampling amplifies in both
 * views, since the draw is the site's own secret: neither adversary sees it.
 *
 * A run's epsilon against either adversary is the largest over the sites.
 */

/** One round as one site's users see it. */
export interface SiteRound {
  /** Whether this site's release went into the round's sum. Where it did not, nothing of its users was released. */
  readonly answered: boolean;
  /** Number of sites whose releases were added up with equal weight, this one included. */
  readonly answeredSites: number;
  /** This site's own release. */
  readonly event: MechanismEvent;
}

/** Against the coordinator, who sees each of this site's releases by itself: the site's own events, in order. */
export function coordinatorView(releases: readonly MechanismEvent[]): readonly LedgerEntry[] {
  return releases.reduce<readonly LedgerEntry[]>(appendEvent, []);
}

/**
 * Against model recipients, who see the global models only, hence sums over sites. Each honest site's noise has the same
 * standard deviation z * C and is independent, so together z grows by the square root of their number. Of the other
 * sites, `colludingSites` (integer >= 0) tell the adversary their noise, or are the adversary; this site itself does not.
 *
 * It presumes one plan for all (z, C, and so the grid), equal weights, sites that really add their noise, and no
 * saturated coordinate (docs/privacy.md).
 */
export function recipientsView(rounds: readonly SiteRound[], colludingSites = 1): readonly LedgerEntry[] {
  return rounds
    .filter((round) => round.answered)
    .map(({ event, answeredSites }) =>
      withNoiseTimes(event, Math.sqrt(Math.max(1, answeredSites - colludingSites))),
    )
    .reduce<readonly LedgerEntry[]>(appendEvent, []);
}
