import { z } from 'zod';
import type { Protection } from '../shared/protocol/plan.ts';
import type { ClipNorm } from '../shared/units.ts';

const works = z.enum(['on', 'off']).default('on');

/**
 * A site that claims protection and does not give it, so that a simulation can show whether the audits notice. Never at a
 * real site: a configuration with it and without a seed is refused.
 */
export const RedTeam = z.strictObject({
  brokenProtection: z.strictObject({ noise: works, clipping: works }),
});
export type RedTeam = z.infer<typeof RedTeam>;

/** The bound on each user's update: C, or none where nothing is promised or clipping is broken on purpose. */
export function clipNormOf(protection: Protection, redTeam: RedTeam | undefined): ClipNorm | 'unbounded' {
  const isBroken = redTeam?.brokenProtection.clipping === 'off';
  return protection.type === 'none' || isBroken ? 'unbounded' : protection.clipNorm;
}

/** Whether noise that was drawn is left out on purpose. */
export function leavesNoiseOut(redTeam: RedTeam | undefined): boolean {
  return redTeam?.brokenProtection.noise === 'off';
}
