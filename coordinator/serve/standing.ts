import type { Action, Detector, MonitorPolicy } from './monitor/settings.ts';
import type { Finding } from './monitor/watch.ts';

/** What the policy has come to about a caller; it never falls back by itself. */
export type Standing = 'fine' | 'warned' | 'hardened' | 'blocked';

/** From the mildest to the strictest. */
export const standings = ['fine', 'warned', 'hardened', 'blocked'] as const satisfies readonly Standing[];

/** Alarms about a caller so far, by detector. */
export type Alarms = Readonly<Partial<Record<Detector, number>>>;

/** An alarm and what it led to. */
export interface Alarm extends Finding {
  readonly action: Action;
}

const standingOf = { warn: 'warned', harden: 'hardened', block: 'blocked' } as const satisfies Record<
  Action,
  Standing
>;

/** What findings lead to: the n-th alarm of a detector to its n-th action. Several tests of one detector in one request are one alarm. */
export function judged(
  findings: readonly Finding[],
  alarms: Alarms,
  policy: MonitorPolicy,
): readonly Alarm[] {
  return findings.map((finding) => {
    const actions = policy[finding.detector];
    const action = actions[Math.min(alarms[finding.detector] ?? 0, actions.length - 1)] ?? 'block';
    return { ...finding, action };
  });
}

/** Standing after these alarms. */
export function standingAfter(before: Standing, alarms: readonly Pick<Alarm, 'action'>[]): Standing {
  return alarms.reduce((worst, { action }) => stricter(worst, standingOf[action]), before);
}

/** Alarms after a request with these. */
export function alarmsAfter(before: Alarms, alarms: readonly Pick<Alarm, 'detector'>[]): Alarms {
  const raised = new Set(alarms.map(({ detector }) => detector));
  return [...raised].reduce<Alarms>(
    (counts, detector) => ({ ...counts, [detector]: (counts[detector] ?? 0) + 1 }),
    before,
  );
}

function stricter(a: Standing, b: Standing): Standing {
  return standings.indexOf(a) < standings.indexOf(b) ? b : a;
}
