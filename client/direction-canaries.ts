import type { LocalResult } from '../shared/model/local-trainer.ts';
import { addUpdate, canaryDirection, canaryUpdate } from '../shared/privacy/canary-direction.ts';
import { clipUpdate } from '../shared/privacy/clip.ts';
import type { SummedUpdate } from '../shared/privacy/update.ts';
import type { Plan } from '../shared/protocol/plan.ts';
import type { Rng } from '../shared/random/rng.ts';
import { fairCoin } from '../shared/random/sample.ts';
import type { ClipNorm, SiteId } from '../shared/units.ts';

/**
 * A site's random-direction canaries in a run (shared/privacy/canary-direction.ts). They are users without a person behind
 * them: they count in no denominator, in no number of users and in no quantile, and nobody's release depends on their draw
 * but through the sum that they are in.
 */
export interface DirectionCanaries {
  /** Whose canaries: a part of their names. */
  readonly site: SiteId;
  /** Shape (numCanaries,): 0 member, 1 held-out. */
  readonly coins: Int32Array;
}

/** Flip each canary's own fair coin, once a run; shape (numCanaries,): 0 member, 1 held-out. */
export function flipCanaries(numCanaries: number, rng: Rng): Int32Array {
  return Int32Array.from({ length: numCanaries }, () => (fairCoin(rng) ? 0 : 1));
}

/** Indices of the member canaries, ascending: those that take part in rounds like any other user. */
export function memberCanaries({ coins }: DirectionCanaries): Int32Array {
  return Int32Array.from([...coins.keys()].filter((canary) => coins[canary] === 0));
}

/** The canaries of a round, and how everybody's updates are clipped in it. */
export interface DrawnCanaries {
  readonly plan: Plan;
  /** Indices of the canaries that take part. */
  readonly drawn: Int32Array;
  readonly of: DirectionCanaries | undefined;
  /** 'unbounded' where clipping is broken on purpose. */
  readonly clipNorm: ClipNorm | 'unbounded';
}

/**
 * Local training's result with the drawn canaries' updates in its sum. Each is ten times the plan's clip norm before it is
 * clipped like everybody's: what enters has norm C, or ten times as much where clipping does not work.
 */
export function withCanaries(
  trained: LocalResult,
  { plan, drawn, of, clipNorm }: DrawnCanaries,
): LocalResult {
  if (plan.protection.type === 'none' || of === undefined || drawn.length === 0) return trained;
  const sum = trained.sum.slice() as SummedUpdate;
  for (const canary of drawn) {
    const direction = canaryDirection({ run: plan.run, site: of.site, canary }, sum.length);
    const update = canaryUpdate(direction, beforeClipping * plan.protection.clipNorm);
    addUpdate(sum, clipUpdate(update, clipNorm).update);
  }
  return { ...trained, sum };
}

/** Norm of a canary's update before clipping, over C. */
const beforeClipping = 10;
