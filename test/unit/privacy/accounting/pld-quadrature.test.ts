import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z as schema } from 'zod';
import { pldBounds, privacyProfile } from '../../../../shared/privacy/accounting/accountants.ts';
import { Delta } from '../../../../shared/units.ts';
import { sampled } from './events.ts';

const release = schema.object({ noiseMultiplier: schema.number(), samplingRate: schema.number() });
const once = schema.array(release.extend({ delta: schema.number(), epsilon: schema.coerce.number() }));
const { deltas, epsilons, rare } = schema
  .object({
    deltas: schema.array(
      release.extend({
        releases: schema.number(),
        direction: schema.enum(['removing', 'adding']),
        epsilon: schema.number(),
        delta: schema.coerce.number(),
      }),
    ),
    epsilons: once,
    rare: once,
  })
  .parse(JSON.parse(readFileSync(new URL('../../../vectors/pld-quadrature.json', import.meta.url), 'utf8')));

/** Vectors have 15 digits. */
const digits = 1e-13;

/** The bounds on one release's epsilon, which must lie between them. */
function boundsAround({ noiseMultiplier, samplingRate, delta, epsilon }: (typeof epsilons)[number]) {
  const event = sampled(noiseMultiplier, samplingRate);
  const bounds = pldBounds([{ event, count: 1 }], Delta.parse(delta));
  expect(bounds.lower).toBeLessThanOrEqual(epsilon * (1 + digits));
  expect(bounds.upper).toBeGreaterThanOrEqual(epsilon * (1 - digits));
  return bounds;
}

describe('quadrature in 25 to 60 digits', () => {
  const nameOf = ({ noiseMultiplier, samplingRate, releases }: (typeof deltas)[number]): string =>
    `${noiseMultiplier}, ${samplingRate}, ${releases}`;
  const names = [...new Set(deltas.map(nameOf))];

  test.each(names)('z, q, releases = %s: delta lies between the bounds, each way', (mechanism) => {
    const rows = deltas.filter((row) => nameOf(row) === mechanism);
    const { noiseMultiplier, samplingRate, releases } = rows[0]!;
    const profile = privacyProfile([{ event: sampled(noiseMultiplier, samplingRate), count: releases }]);
    for (const { direction, epsilon, delta } of rows) {
      const { lower, upper } = profile.delta(epsilon)[direction];
      const name = `${direction} at ${epsilon}`;
      expect(lower, name).toBeLessThanOrEqual(delta * (1 + digits));
      expect(upper, name).toBeGreaterThanOrEqual(delta * (1 - digits));
    }
    // In one direction the bounds are wide near its largest possible loss; the larger of both counts.
    for (const epsilon of new Set(rows.map((row) => row.epsilon))) {
      const { lower, upper } = profile.delta(epsilon);
      expect(upper - lower, `gap at ${epsilon}`).toBeLessThanOrEqual(5e-3 * upper + 1e-18);
    }
  });

  test.each(epsilons)(
    'z = $noiseMultiplier, q = $samplingRate at $delta: epsilon $epsilon lies between the bounds',
    (row) => {
      const { epsilon } = row;
      const { lower, upper } = boundsAround(row);
      expect(upper - lower).toBeLessThanOrEqual(epsilon === 0 ? 2e-4 : 1.5e-3 * epsilon + 2e-6);
    },
  );

  test.each(rare)(
    'a user who hardly ever takes part: z = $noiseMultiplier, q = $samplingRate at $delta: epsilon is at most $epsilon, closely',
    (row) => {
      expect(boundsAround(row).upper).toBeLessThanOrEqual(1.01 * row.epsilon + 2e-6);
    },
  );

  test('there are vectors for both directions, one and two releases', () => {
    expect(deltas.length).toBeGreaterThan(100);
    expect(epsilons).toHaveLength(25);
    expect(rare.filter(({ epsilon }) => epsilon > 0).length).toBeGreaterThan(10);
    expect(new Set(deltas.map(({ direction, releases }) => `${direction} ${releases}`)).size).toBe(4);
  });
});
