import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { rdpOf } from '../../../../shared/privacy/accounting/rdp.ts';
import { rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import { linkedUserView, recipientsView } from '../../../../shared/privacy/accounting/views.ts';
import { Delta, SamplingRate } from '../../../../shared/units.ts';
import { gaussian, noisyEvents, nonPrivate, sampled } from './events.ts';

const views = ['coordinator', 'recipients'] as const;

/** Weights of a person at one to six sites, with a sum of at most 1. */
const weightLists = fc
  .tuple(
    fc.array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: 1, maxLength: 6 }),
    fc.double({ min: 0.05, max: 1, noNaN: true }),
  )
  .map(([parts, total]) => {
    const sum = parts.reduce((all, part) => all + part);
    return parts.map((part) => ((part * total) / sum) * (1 - 2 ** -40));
  });
const orders = fc.oneof(fc.double({ min: 1.05, max: 12, noNaN: true }), fc.integer({ min: 2, max: 64 }));

describe('a person at several linked sites', () => {
  test('costs no more than one at a single site with weight 1, at every order, in both views', () => {
    fc.assert(
      fc.property(noisyEvents, weightLists, orders, (event, weights, order) => {
        const alone = rdpOf(event, order);
        for (const against of views)
          expect(rdpOf(linkedUserView(event, weights, against), order)).toBeLessThanOrEqual(
            alone * (1 + 1e-9),
          );
      }),
      { numRuns: 150 },
    );
  });

  test('the same over a grid of rates, noise, fractional orders and numbers of sites', () => {
    const cases = [0.001, 0.05, 0.5, 0.95, 1].flatMap((q) => [0.3, 0.7, 1.5, 6].map((z) => [q, z] as const));
    for (const [q, z] of cases) {
      const event = q === 1 ? gaussian(z) : sampled(z, q);
      for (const order of [1.01, 1.3, 1.9, 2.5, 7.7, 31.4])
        for (const sites of [2, 3, 4]) {
          const weights = Array<number>(sites).fill(Math.floor(2 ** 29 / sites) / 2 ** 29);
          const linked = views.map((against) => rdpOf(linkedUserView(event, weights, against), order));
          for (const cost of linked) expect(cost).toBeLessThanOrEqual(rdpOf(event, order) * (1 + 1e-9));
        }
    }
  });

  test('at one site with weight 1 it is the event itself; less weight costs less', () => {
    fc.assert(
      fc.property(
        noisyEvents,
        orders,
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        (event, order, weight) => {
          for (const against of views) {
            expect(linkedUserView(event, [1], against)).toEqual(event);
            const cost = rdpOf(linkedUserView(event, [weight], against), order);
            expect(cost).toBeLessThanOrEqual(rdpOf(event, order) * (1 + 1e-9));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('without sampling the recipients see exactly one Gaussian: shares of the noise give back the whole', () => {
    fc.assert(
      fc.property(weightLists, fc.double({ min: 0.3, max: 9, noNaN: true }), orders, (weights, z, order) => {
        const total = weights.reduce((sum, weight) => sum + weight);
        const cost = rdpOf(linkedUserView(gaussian(z), weights, 'recipients'), order);
        expect(cost / rdpOf(gaussian(z / total), order)).toBeCloseTo(1, 9);
      }),
    );
  });

  test('four sites of weight 1/4, no one colluding: as one person at one site in the recipients’ view', () => {
    const rounds = [{ answered: true, answeredSites: 4, event: gaussian(1.5) }];
    const [{ event } = { event: nonPrivate }] = recipientsView(rounds, 0);
    const linked = linkedUserView(event, [0.25, 0.25, 0.25, 0.25], 'recipients');
    expect(rdpOf(linked, 7)).toBeCloseTo(rdpOf(gaussian(3), 7), 12);
  });

  test('without linkage she pays at each site: costs add up; with it, less is left than at one site', () => {
    const event = sampled(1.2, 0.1);
    const unlinked = { type: 'composition' as const, events: [event, event, event] };
    for (const order of [1.5, 4, 20]) {
      expect(rdpOf(unlinked, order)).toBeCloseTo(3 * rdpOf(event, order), 12);
      expect(rdpOf(linkedUserView(event, [1 / 4, 1 / 4, 1 / 4], 'coordinator'), order)).toBeLessThan(
        rdpOf(event, order) / 3,
      );
    }
  });

  test('nothing is promised where something left without noise', () => {
    expect(rdpOf(linkedUserView(nonPrivate, [0.5, 0.5], 'coordinator'), 2)).toBe(Infinity);
  });

  test.each([[[]], [[0.6, 0.5]], [[0]], [[-0.5, 1]], [[NaN]], [[1, 0]]])('refuses weights %j', (weights) => {
    for (const against of views)
      expect(() => linkedUserView(gaussian(1), weights, against)).toThrow(RangeError);
  });
});

const Figures = z.object({ rdp: z.number(), pld: z.number() });
const Vectors = z.object({
  cases: z.array(
    z.object({
      samplingRate: SamplingRate,
      noiseMultiplier: z.number(),
      rounds: z.number(),
      delta: Delta,
      weights: z.array(z.number()),
      coordinator: Figures,
      recipients: Figures,
    }),
  ),
});

describe('dp_accounting on the same compositions', () => {
  const file = new URL('../../../vectors/linked-user.json', import.meta.url);
  const { cases } = Vectors.parse(JSON.parse(readFileSync(file, 'utf8')));

  test.each(cases)('q $samplingRate, z $noiseMultiplier, $rounds rounds, weights $weights', (vector) => {
    const { samplingRate, noiseMultiplier, rounds, delta, weights } = vector;
    const event = samplingRate === 1 ? gaussian(noiseMultiplier) : sampled(noiseMultiplier, samplingRate);
    for (const against of views) {
      const found = rdpEpsilon([{ event: linkedUserView(event, weights, against), count: rounds }], delta);
      const { rdp, pld } = vector[against];
      // It adds absolute values at fractional orders and drops those that do not converge, so it may lie above.
      expect(found).toBeLessThanOrEqual(rdp * (1 + 1e-6));
      expect(found).toBeGreaterThanOrEqual(rdp * (1 - 0.02));
      expect(found).toBeGreaterThanOrEqual(pld - 1e-3);
    }
  });

  test('its PLD figures: linked is less where delta is below q, and can be more where it is not', () => {
    const alone = new Map(
      cases
        .filter(({ weights }) => String(weights) === '1')
        .map((one) => [one.noiseMultiplier * one.samplingRate, one.coordinator.pld]),
    );
    const more = cases.filter(({ samplingRate, noiseMultiplier, coordinator, recipients }) => {
      const limit = (alone.get(noiseMultiplier * samplingRate) ?? 0) + 1e-3;
      return coordinator.pld > limit || recipients.pld > limit;
    });
    expect(
      more.map(({ samplingRate, noiseMultiplier, delta, weights }) => [
        samplingRate,
        noiseMultiplier,
        delta,
        weights,
      ]),
    ).toEqual([
      [0.01, 0.3, 0.01, [0.5, 0.5]],
      [0.01, 0.3, 0.01, [0.25, 0.25, 0.25, 0.25]],
      [0.01, 0.3, 0.01, [0.6, 0.3]],
    ]);
  });
});
