import { ParleyError } from '../../errors.ts';
import type { BandedMatrix } from '../banded-matrix.ts';
import { appendEvent } from './entries.ts';
import { type LedgerEntry, type MechanismEvent, type SingleEvent, withNoiseTimes } from './event.ts';
import { onlyParts, partsOf, withParts } from './event-parts.ts';

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
  /**
   * Names of the same sites. Only noise that is correlated over rounds needs them; where they are left out, other sites'
   * correlated noise counts for nothing.
   */
  readonly answeredBy?: readonly string[];
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
 * A banded matrix's noise is correlated over rounds, so of the other sites' only that of the sites which answered every one
 * of its rounds that this site answered counts: their covariances over those rounds are equal and add up, and those of
 * sites that came and went only add something positive semidefinite. (The fewest sites of any round would be too many: two
 * sites that take turns do not make up one that stays.) Its first round is charged where any of its rounds was answered.
 *
 * It presumes one plan for all (z, C, and so the grid; a banded matrix begun in the same round), equal weights, sites that
 * really add their noise, and no saturated coordinate (docs/privacy.md).
 */
export function recipientsView(rounds: readonly SiteRound[], colludingSites = 1): readonly LedgerEntry[] {
  const answered = rounds.filter((round) => round.answered);
  const steady = steadySites(answered);
  const paidHere = (event: SingleEvent): boolean =>
    event.type === 'banded-matrix' && steady.has(keyOf(event));
  return rounds
    .map((round) => ({ ...round, event: round.answered ? round.event : onlyParts(round.event, paidHere) }))
    .flatMap(({ event, answeredSites }) => {
      const sitesOf = (part: SingleEvent): number =>
        isBanded(part) ? (steady.get(keyOf(part))?.size ?? 1) : answeredSites;
      return event === undefined
        ? []
        : [withParts(event, (part) => withNoiseTimes(part, noiseFactor(sitesOf(part), colludingSites)))];
    })
    .reduce<readonly LedgerEntry[]>(appendEvent, []);
}

/** What a plan would cost one site's users, in both views; see {@link plannedViews}. */
export interface PlannedViews {
  readonly coordinator: readonly LedgerEntry[];
  readonly recipients: readonly LedgerEntry[];
}

/**
 * The entries of a run of `rounds` rounds (integer >= 1) that one site answers completely. A plan with a banded matrix gives
 * the matrix's first event; after its last round it begins anew. Throws CONFIG_INVALID unless 1 <= answeringSites <= sites.
 */
export function plannedViews({
  event,
  rounds,
  sites,
  colludingSites = 1,
  answeringSites = sites,
}: {
  readonly event: MechanismEvent;
  readonly rounds: number;
  readonly sites: number;
  readonly colludingSites?: number;
  /** Sites that answer each round, this one included; the same ones, where noise is correlated over rounds. */
  readonly answeringSites?: number;
}): PlannedViews {
  if (!(answeringSites >= 1 && answeringSites <= sites))
    throw new ParleyError(
      'CONFIG_INVALID',
      `${answeringSites} of ${sites} sites cannot answer a round: give a number of answering sites from 1 to the number of sites`,
    );
  const entriesOf = (release: MechanismEvent): readonly LedgerEntry[] =>
    release.type === 'banded-matrix' ? bandedEntries(release, rounds) : [{ event: release, count: rounds }];
  return {
    coordinator: entriesOf(event),
    recipients: entriesOf(withNoiseTimes(event, noiseFactor(answeringSites, colludingSites))),
  };
}

function noiseFactor(sites: number, colludingSites: number): number {
  return Math.sqrt(Math.max(1, sites - colludingSites));
}

type BandedEvent = Extract<SingleEvent, { readonly matrix: BandedMatrix }>;

function isBanded(event: SingleEvent): event is BandedEvent {
  return event.type === 'banded-matrix' || event.type === 'banded-matrix-step';
}

/** The same for all rounds of one mechanism. */
function keyOf({ noiseMultiplier, matrix }: { noiseMultiplier?: number; matrix?: BandedMatrix }): string {
  return JSON.stringify({ noiseMultiplier, matrix });
}

/** For each banded matrix, the sites that answered all of its rounds among these. */
function steadySites(answered: readonly SiteRound[]): ReadonlyMap<string, ReadonlySet<string>> {
  const steady = new Map<string, ReadonlySet<string>>();
  for (const { event, answeredBy = [] } of answered)
    for (const part of partsOf(event).filter(isBanded)) {
      const before = steady.get(keyOf(part));
      steady.set(keyOf(part), new Set(answeredBy.filter((site) => before?.has(site) ?? true)));
    }
  return steady;
}

/** Rounds of a matrix, then of another one like it, and so on. */
function bandedEntries(
  event: Extract<SingleEvent, { type: 'banded-matrix' }>,
  rounds: number,
): readonly LedgerEntry[] {
  const begun = Math.ceil(rounds / event.matrix.rounds);
  const later = rounds - begun;
  return [
    { event, count: begun },
    ...(later > 0 ? [{ event: { ...event, type: 'banded-matrix-step' as const }, count: later }] : []),
  ];
}

/**
 * What one round costs a person known to several linked sites; `weights` are hers at the sites that answered, each in (0, 1],
 * together at most 1 and not empty. `event` is what it costs a person at one site with weight 1 in the same view: the site's
 * own event against the coordinator, who sees all sites' releases, that of {@link recipientsView} against recipients.
 *
 * Her update at a site of weight w has norm at most w C. Against the coordinator each of her releases has the full noise.
 * Against recipients the sum's noise, split in proportion to her weights, makes their view a post-processing of one release
 * for each site with influence w C and the share w / sum of the variance. Neighbouring: one person, at all sites. At every
 * order its Renyi divergence is at most that of `event`; other figures may be larger (docs/linkage.md).
 *
 * Throws RangeError for weights that a linkage does not give.
 */
export function linkedUserView(
  event: MechanismEvent,
  weights: readonly number[],
  against: 'coordinator' | 'recipients',
): MechanismEvent {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (!(total > 0 && total <= 1) || !weights.every((weight) => weight > 0))
    throw new RangeError(`weights ${weights.join(', ')}: expected some in (0, 1] with a sum of at most 1`);
  const noiseTimes = (weight: number): number =>
    against === 'coordinator' ? 1 / weight : 1 / Math.sqrt(weight * total);
  const events = weights.map((weight) => withNoiseTimes(event, noiseTimes(weight)));
  const [only] = events;
  return events.length === 1 && only !== undefined ? only : { type: 'composition', events };
}
