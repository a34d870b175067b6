import type { Shard } from '../shared/data/shard.ts';
import { ParleyError } from '../shared/errors.ts';
import type { LocalTask, LocalTrainer } from '../shared/model/local-trainer.ts';
import type { SiloTrainer } from '../shared/model/silo/silo-trainer.ts';
import { l2Norm } from '../shared/privacy/clip.ts';
import type { SummedUpdate } from '../shared/privacy/update.ts';

/** What a site's one update is weighed and made with, beside what a round's task says. */
export interface SiloFacts {
  /**
   * What the update counts for in the coordinator's sum: participation rate times declared users, a public constant, so that the
   * quotient by the public denominator is the sites' mean.
   */
  readonly weight: number;
  /** Indices of the site's reference users, ascending. */
  readonly reference: Int32Array;
  /** The site's public records; none when undefined. */
  readonly publicShard: Shard | undefined;
}

/**
 * Training of all drawn users together, in the place of training each alone: the sum is `weight` times trained - received. A
 * model that diverged makes an update of zero. Nothing is clipped, and nothing of it is user-level private; `checkPlan` lets no
 * plan come so far that promises it.
 */
export function wholeSite(
  trainer: SiloTrainer,
  { weight, ...publicRecords }: SiloFacts,
): Pick<LocalTrainer, 'clippedSum'> {
  return {
    clippedSum: async (task) => {
      const { parameters: received } = task;
      const { parameters } = await trainer.train({ ...task, plan: siloPlan(task), ...publicRecords });
      const update = parameters.map((value, i) => value - (received[i] ?? 0));
      const norm = l2Norm(update);
      const isFinite = Number.isFinite(norm);
      const sum = Float64Array.from(update, (value) => (isFinite ? weight * value : 0));
      // One update of the site stands where those of its users are added up.
      return {
        sum: sum as SummedUpdate,
        norms: Float64Array.of(isFinite ? norm : 0),
        nonFinite: isFinite ? 0 : 1,
      };
    },
  };
}

function siloPlan({ plan }: LocalTask): Parameters<SiloTrainer['train']>[0]['plan'] {
  const { silo } = plan;
  if (silo === undefined)
    throw new ParleyError(
      'RUN_FAILED',
      'a plan without a silo-level defence came to the training of a whole site',
    );
  return { ...plan, silo };
}
