import { ParleyError } from '../shared/errors.ts';
import type { MechanismEvent } from '../shared/privacy/accounting/event.ts';
import {
  advance,
  type BandedNoise,
  bandedNoiseVector,
  newBandedNoise,
} from '../shared/privacy/banded-noise.ts';
import { decodeState, encodeState } from '../shared/privacy/banded-state.ts';
import { drawNoise, type NoiseOptions, type NoiseVector, samplerTakes } from '../shared/privacy/noise.ts';
import { usersOfRound } from '../shared/privacy/participation-groups.ts';
import { type Plan, type Protection, plannedEvent, releaseShape } from '../shared/protocol/plan.ts';
import { poissonSample } from '../shared/random/sample.ts';
import { memberCanaries } from './direction-canaries.ts';
import type { Site } from './site.ts';

/** Where a round's noise and users come from: what its release will cost is known before anything is drawn. */
export interface RoundSource {
  readonly event: MechanismEvent;
  readonly draw: () => RoundDraw;
}

/** What a round draws before the data are touched. */
export interface RoundDraw {
  /** None where nothing is promised. */
  readonly noise: NoiseVector | undefined;
  /** Indices of the users who take part, ascending. */
  readonly users: Int32Array;
  /** Indices of the random-direction canaries that take part, ascending. */
  readonly drawnCanaries: Int32Array;
  /** To be committed with the release, where noise is correlated over rounds. */
  readonly noiseState?: Uint8Array;
}

/**
 * The source of a round's noise and users: fresh noise and every user's own coin, or a banded matrix's next row and the
 * round's group of users.
 *
 * @throws POLICY_REFUSED when the site's sampler cannot draw this plan's noise; EQUIVOCATION when the plan has another matrix,
 * noise multiplier or number of parameters than the run's earlier rounds; LEDGER_CORRUPT when the state of correlated noise is
 * damaged.
 */
export async function roundSource(plan: Plan, numParams: number, site: Site): Promise<RoundSource> {
  const { protection, run, round } = plan;
  if (protection.type === 'user-dp-banded') return bandedSource({ ...plan, protection }, numParams, site);
  const rng = site.rng.fork(`run ${run} round ${round}`);
  const noise = freshNoise(protection, numParams, site);
  return {
    event: plannedEvent(protection),
    draw: () => ({
      noise: noise?.(rng.fork('noise')),
      users: byCoins(protection, site.trainable, rng.fork('draw')),
      // A stream of their own, so that canaries shift nobody's coin.
      drawnCanaries: byCoins(protection, canariesOf(site), rng.fork('canary draw')),
    }),
  };
}

type Independent = Exclude<Protection, { type: 'user-dp-banded' }>;

/** Independent noise of this plan, from the stream it is given; none where nothing is promised. */
function freshNoise(
  protection: Independent,
  numParams: number,
  { sampler }: Site,
): ((rng: Site['rng']) => NoiseVector) | undefined {
  if (protection.type === 'none') return undefined;
  const { noiseMultiplier } = protection;
  const { numCoordinates, clipNorm } = releaseShape(protection, numParams);
  const options: NoiseOptions = { noiseMultiplier, clipNorm, ...(sampler && { sampler }) };
  if (!samplerTakes(options, numCoordinates))
    throw refused(`a noise multiplier of ${noiseMultiplier} is beyond its range`);
  return (rng) => drawNoise(rng, numCoordinates, options);
}

function refused(why: string): ParleyError {
  return new ParleyError(
    'POLICY_REFUSED',
    `this site draws its noise as noise.sampler discrete-gaussian, and ${why}; only the site can choose rounded-gaussian`,
  );
}

/** Every user by an independent coin. */
function byCoins({ samplingRate }: Independent, all: Int32Array, rng: Site['rng']): Int32Array {
  return poissonSample(rng, all.length, samplingRate).map((index) => all[index] ?? 0);
}

function canariesOf({ directions }: Site): Int32Array {
  return directions ? memberCanaries(directions) : new Int32Array(0);
}

type BandedPlan = Plan & { readonly protection: Extract<Protection, { type: 'user-dp-banded' }> };

async function bandedSource(plan: BandedPlan, numParams: number, site: Site): Promise<RoundSource> {
  const { protection, run, round } = plan;
  const { matrix, noiseMultiplier } = protection;
  if (site.sampler === 'discrete-gaussian')
    throw refused('correlated noise is rounded from continuous numbers');
  // The same fork in every round: each row has one of its own below it.
  const rng = site.rng.fork(`run ${run} banded noise`);
  const stored = await site.ledger.noiseState(run);
  const fixed = { matrix, noiseMultiplier, numParams };
  const before: BandedNoise = stored ? decodeState(stored, fixed) : newBandedNoise(fixed, rng);
  return {
    event: plannedEvent(protection, before.nextRow === 0),
    draw: () => {
      const { row, state } = advance(before, rng, round);
      const roundOf = { key: before.participationKey, matrix, round };
      return {
        noise: bandedNoiseVector(row, protection),
        users: byGroup(site.trainable, (user) => site.shard.userIds[user] ?? '', roundOf),
        drawnCanaries: byGroup(canariesOf(site), (canary) => `random-direction canary ${canary}`, roundOf),
        noiseState: encodeState(state),
      };
    },
  };
}

/** Those of the round's group. */
function byGroup(
  all: Int32Array,
  idOf: (index: number) => string,
  round: Parameters<typeof usersOfRound>[1],
): Int32Array {
  return usersOfRound(Array.from(all, idOf), round).map((index) => all[index] ?? 0);
}
