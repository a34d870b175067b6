import { ParleyError } from '../../shared/errors.ts';
import { drawNoise, release, releaseWithoutNoise } from '../../shared/privacy/noise.ts';
import { participationRate, releaseShape } from '../../shared/protocol/plan.ts';
import { poissonSample } from '../../shared/random/sample.ts';
import { SamplingRate, type SiteId } from '../../shared/units.ts';
import type { FinishedSimulation } from './finished-simulation.ts';
import type { Workbench } from './measures.ts';

/**
 * The mean update that a site would have answered a model with, under the run's plan: its users' coins, local training,
 * clipping and noise, from seeded randomness. Shape (numParams,), parameter units over the site's public denominator.
 *
 * @throws CONFIG_INVALID where noise is correlated over rounds: a single round of it says nothing.
 */
export async function clippedRelease(
  { sites, protection, scenario, manifest }: FinishedSimulation,
  { trainer, rng }: Workbench,
  site: SiteId,
  parameters: Float32Array,
): Promise<Float64Array> {
  const held = sites.get(site);
  if (protection.type === 'user-dp-banded' || held === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      'the active coordinator is simulated for rounds with independent noise only: use protection user-dp or none',
    );
  const { trainingShard: shard, trainable } = held;
  const rate = SamplingRate.parse(participationRate(protection));
  const { clipNorm, gridStep } = releaseShape({ ...protection, ...withoutCount }, parameters.length);
  const drawn = poissonSample(rng.fork('draw'), trainable.length, rate);
  const { sum } = await trainer.clippedSum({
    ...{ parameters, shard, plan: scenario.federation.local, round: 0, rng: rng.fork('training') },
    users: drawn.map((index) => trainable[index] ?? 0),
    clipNorm: protection.type === 'none' ? 'unbounded' : clipNorm,
  });
  const released =
    protection.type === 'none'
      ? releaseWithoutNoise(sum, gridStep)
      : release(sum, drawNoise(rng.fork('noise'), sum.length, { ...protection, clipNorm }), {
          ...protection,
          clipNorm,
        });
  const declared = manifest.sites.find(({ id }) => id === site)?.declaredUsers ?? 1;
  return Float64Array.from(released, (value) => (value * gridStep) / (rate * declared));
}

/** The active attacker has no use for the count of adaptive clipping. */
const withoutCount = { adaptiveClipping: undefined };
