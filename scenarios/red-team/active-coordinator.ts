import type { Targets } from './audit-users.ts';
import type { FinishedSimulation } from './finished-simulation.ts';
import { cosine, descentDirection, moved, type Workbench } from './measures.ts';
import { clippedRelease } from './site-round.ts';

/** How an active coordinator attacks. */
export interface ActiveAttack {
  /** Model version that it starts from. */
  readonly version: number;
  /** How far it moves the model up the target's loss: learning rate of one step along her gradient. */
  readonly strength: number;
}

/**
 * A coordinator that breaks the protocol (Nasr et al. 2019, arXiv:1812.00910, the active attacker): before a round it moves
 * the model up the loss of one target, sends it to the target's site, and looks at how much the site's update undoes. One
 * score per target, shape (numTargets,), larger = more likely member: the cosine between the update and the way down the
 * target's loss at the model sent. The site answers as its plan says: with its draw, clipping and noise. Strength 0 sends
 * the honest model: what ascent adds is the difference.
 */
export async function activeScores(
  simulation: FinishedSimulation,
  bench: Workbench,
  { site, users, records }: Targets,
  { version, strength }: ActiveAttack,
): Promise<Float64Array> {
  const parameters = simulation.parameters(version);
  const scores = new Float64Array(users.length);
  for (const index of users.keys()) {
    const ascent = await descentDirection(bench, parameters, records, index);
    const sent = moved(parameters, ascent, -strength);
    const own = { ...bench, rng: bench.rng.fork(`target ${index}`) };
    const update = await clippedRelease(simulation, own, site, sent);
    scores[index] = cosine(update, await descentDirection(bench, sent, records, index));
  }
  return scores;
}
