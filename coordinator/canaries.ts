import { gridStdDev } from '../shared/privacy/noise.ts';
import { noiseFactor, participationRate, releaseShape } from '../shared/protocol/plan.ts';
import { NoiseMultiplier, type SiteId } from '../shared/units.ts';
import type { CanaryEvidence } from './audit/canaries/canary-audit.ts';
import { type CanaryScores, scoreCanaries } from './audit/canaries/scores.ts';
import type { Answers } from './collect.ts';
import { numReleased, type RunContext, type RunState } from './state.ts';

/** Score the random-direction canaries under a round's releases; nothing where nothing is promised. */
export function canaryScores(
  before: RunState,
  { sum, withCanaries, participation }: Answers,
  run: RunContext,
): CanaryScores[] {
  const { protection, round } = before;
  if (protection.type === 'none') return [];
  const params = numReleased(before);
  const { clipNorm, numCoordinates, gridStep } = releaseShape(protection, params);
  const noiseMultiplier = NoiseMultiplier.parse(protection.noiseMultiplier * noiseFactor(protection, round));
  const stdDev = gridStdDev({ clipNorm, noiseMultiplier }, numCoordinates);
  return scoreCanaries({
    ...{ run: run.run, round, stdDev },
    releases: withCanaries,
    sum: sum.subarray(0, params),
    numSites: participation.answered.length,
    rate: participationRate(protection),
    shift: protection.clipNorm / gridStep / stdDev,
    coins: coinsOf(run),
  });
}

/** What the canaries' audit of the round before this state works on. */
export function canaryEvidence(after: RunState, run: RunContext): Omit<CanaryEvidence, 'round'> {
  const noises = { 'user-dp': 'independent', 'user-dp-banded': 'correlated', none: 'none' } as const;
  return {
    coins: coinsOf(run),
    history: after.canaries,
    delta: run.protection.delta,
    noise: noises[run.protection.type],
  };
}

function coinsOf({ sites }: RunContext): ReadonlyMap<SiteId, Int32Array> {
  return new Map([...sites].map(([site, { canaries }]) => [site, canaries]));
}
