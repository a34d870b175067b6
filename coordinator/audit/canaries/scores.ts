import { z } from 'zod';
import { alongDirection, canaryDirection } from '../../../shared/privacy/canary-direction.ts';
import { RoundIndex, type RunId, SiteId } from '../../../shared/units.ts';

const coin = z.union([z.literal(0), z.literal(1)]);
const projections = z.array(z.number());

/**
 * What one round's releases say of one site's canaries: a line of canaries.jsonl. A score is the projection on the canary's
 * own direction over the standard deviation of the noise, so that a held-out canary's is standard normal as far as nothing
 * but noise is in it. Larger = more likely a member.
 */
export const CanaryScores = z.strictObject({
  round: RoundIndex,
  site: SiteId,
  /** Shape (numCanaries,): 0 member, 1 held-out. */
  coins: z.array(coin),
  /** Probability that a member takes part in a round, in (0, 1]. */
  rate: z.number().gt(0).lte(1),
  /** How far an update of norm C along a canary's direction moves its score against the coordinator: 1 / (z (1 + slack)). */
  shift: z.number().positive(),
  /** Sites in the sum. */
  sites: z.number().int().positive(),
  /** From the site's own release, shape (numCanaries,). */
  coordinator: projections,
  /** From the sum over the sites that answered, shape (numCanaries,). */
  recipients: projections,
});
export type CanaryScores = z.infer<typeof CanaryScores>;

/** The releases of a round, and whose canaries may be in them. */
export interface ScoredReleases {
  readonly run: RunId;
  readonly round: RoundIndex;
  /** Of the sites with canaries, shape (numCoordinates,) with numCoordinates >= numParams, grid units. */
  readonly releases: ReadonlyMap<SiteId, Int32Array>;
  /** Of all sites' releases, shape (numParams,), grid units. */
  readonly sum: Float64Array;
  /** Sites in the sum. */
  readonly numSites: number;
  /** Coins by site, shape (numCanaries,): 0 member, 1 held-out. */
  readonly coins: ReadonlyMap<SiteId, Int32Array>;
  /** Standard deviation of a site's noise in one coordinate, grid units. */
  readonly stdDev: number;
  readonly rate: number;
  readonly shift: number;
}

/**
 * Score every canary of the sites that answered.
 *
 * Against the coordinator a site's release is looked at alone, without its part along the sum of the other sites' releases:
 * sites learn similar things, so most of what the other users of the site add lies there. That sum is independent of the
 * site's own noise and canaries, so the rest of the noise stays Gaussian, and its projection is divided by what is left of
 * the direction. Against recipients the sum of all sites is looked at; its noise is sqrt(sites) times as large.
 */
export function scoreCanaries(scored: ScoredReleases): CanaryScores[] {
  const { run, round, releases, sum, numSites, coins, stdDev, rate, shift } = scored;
  return [...releases].flatMap(([site, release]) => {
    const flipped = coins.get(site);
    if (!flipped || flipped.length === 0) return [];
    const others = sum.map((value, i) => value - (release[i] ?? 0));
    const nuisance = nuisanceOf(others, release);
    const scores = [...flipped.keys()].map((canary) => {
      const direction = canaryDirection({ run, site, canary }, sum.length);
      const own = alongDirection(direction, release);
      const other = alongDirection(direction, others);
      return {
        coordinator: without(nuisance, own, other) / stdDev,
        recipients: (own + other) / (stdDev * Math.sqrt(numSites)),
      };
    });
    return {
      ...{
        round,
        site,
        rate,
        shift,
        sites: numSites,
        coins: Array.from(flipped, (own) => coin.parse(own)),
      },
      coordinator: scores.map(({ coordinator }) => coordinator),
      recipients: scores.map(({ recipients }) => recipients),
    };
  });
}

/** The other sites' sum as a direction to leave out. */
interface Nuisance {
  /** Its L2 norm, grid units; 0 for a site that answered alone. */
  readonly norm: number;
  /** The release's part along it, grid units. */
  readonly along: number;
}

function nuisanceOf(others: Float64Array, release: Int32Array): Nuisance {
  let [squares, product] = [0, 0];
  for (const [i, value] of others.entries()) {
    squares += value * value;
    product += value * (release[i] ?? 0);
  }
  const norm = Math.sqrt(squares);
  return { norm, along: norm > 0 ? product / norm : 0 };
}

/** A projection without the nuisance, over the length of what is left of the direction; 0 where nothing is. */
function without({ norm, along }: Nuisance, own: number, other: number): number {
  if (norm === 0) return own;
  const cosine = other / norm;
  const left = 1 - cosine * cosine;
  return left > smallestLeft ? (own - cosine * along) / Math.sqrt(left) : 0;
}

/** Below it, rounding decides. */
const smallestLeft = 1e-6;

/** A canary over the rounds of a run so far. */
export interface RunScore {
  readonly isMember: boolean;
  /** Sum of its scores over the square root of their number: standard normal again for a held-out canary. */
  readonly sum: number;
  /**
   * Logarithm of the likelihood ratio member to held-out, under the promise: in a round, score ~ N(shift, 1) with
   * probability `rate`, else N(0, 1). What tells members best when each takes part in few rounds; with rate 1 it orders
   * canaries as `sum` does.
   */
  readonly logRatio: number;
  /** Rounds that its site answered. */
  readonly rounds: number;
}

/** Every canary of a run in one view, by site and number; zeros for those whose site has never answered. */
export function runScores(
  coins: ReadonlyMap<SiteId, Int32Array>,
  history: readonly CanaryScores[],
  view: 'coordinator' | 'recipients',
): RunScore[] {
  return [...coins].flatMap(([site, flipped]) => {
    const lines = history.filter((line) => line.site === site);
    const rounds = lines.length;
    return Array.from(flipped, (own, canary) => {
      let [total, logRatio] = [0, 0];
      for (const line of lines) {
        const score = line[view][canary] ?? 0;
        const shift = view === 'coordinator' ? line.shift : line.shift / Math.sqrt(line.sites);
        total += score;
        logRatio += sampledLogRatio(shift * (score - shift / 2), line.rate);
      }
      return { isMember: own === 0, sum: total / Math.sqrt(Math.max(1, rounds)), logRatio, rounds };
    });
  });
}

/** log(1 - q + q e^x), without overflow. */
function sampledLogRatio(x: number, q: number): number {
  return x > 0 ? x + Math.log(q + (1 - q) * Math.exp(-x)) : Math.log1p(q * Math.expm1(x));
}
