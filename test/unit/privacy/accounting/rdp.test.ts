import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { withNoiseTimes } from '../../../../shared/privacy/accounting/event.ts';
import {
  composedRdp,
  defaultOrders,
  rdpOf,
  rememberedRdp,
} from '../../../../shared/privacy/accounting/rdp.ts';
import { events, gaussian, ledgers, noisyEvents, nonPrivate, sampled } from './events.ts';

interface Vector {
  readonly samplingRate: number;
  readonly noiseMultiplier: number;
  readonly order: number;
  readonly rdp: number;
}
const precise = JSON.parse(
  readFileSync(new URL('../../../vectors/accountant-rdp.json', import.meta.url), 'utf8'),
) as readonly Vector[];

// q, z, order, divergence: computed with dp_accounting, Opacus and prv_accountant where they are exact.
const published = [
  [0.01, 1, 2, 1.71813422075e-4],
  [0.01, 1, 8, 8.93643907606e-4],
  [0.01, 1, 32, 11.246275937],
  [0.01, 1, 1.5, 1.27253743327e-4],
  [0.01, 1, 2.5, 2.17575332282e-4],
  [0.01, 1, 4.3, 3.93996283811e-4],
  [0.1, 1, 1.1, 0.00809856846807],
  [0.1, 1, 1.5, 0.0117345921967],
  [0.1, 1, 2, 0.0170368632362],
  [0.1, 1, 2.5, 0.023503727261],
  [0.1, 0.5, 1.6, 0.178013439305],
  [0.1, 2, 5.5, 0.00864722935096],
  [0.001, 1, 10.9, 9.60134642063e-6],
  [0.001, 0.5, 2, 5.35967137036e-5],
  [0.01, 4, 64, 2.15209161618e-4],
] as const;

const orders = fc.oneof(fc.double({ min: 1.01, max: 64, noNaN: true }), fc.constantFrom(...defaultOrders));
const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);

/** ln E over x ~ N(0, z^2) of (1 - q + q r(x))^order, by Simpson's rule: the definition, word for word. */
function logMomentByQuadrature(q: number, z: number, order: number): number {
  const [from, to] = [-14, order / z + 14];
  const steps = 2 * Math.ceil(((to - from) * 40) / Math.min(1, z));
  const width = (to - from) / steps;
  const logs = Array.from({ length: steps + 1 }, (_, index) => {
    const t = from + index * width;
    const logHit = Math.log(q) + (t - 0.5 / z) / z;
    const larger = Math.max(Math.log1p(-q), logHit);
    const power = larger + Math.log(Math.exp(Math.log1p(-q) - larger) + Math.exp(logHit - larger));
    const weight = index === 0 || index === steps ? 1 : index % 2 === 1 ? 4 : 2;
    return order * power - (t * t) / 2 + Math.log((weight * width) / 3 / Math.sqrt(2 * Math.PI));
  });
  const largest = logs.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(logs.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

describe('rdpOf the Poisson-subsampled Gaussian', () => {
  test.each(published)('q = %d, z = %d, order %d: published value', (q, z, order, expected) => {
    expect(relative(rdpOf(sampled(z, q), order), expected)).toBeLessThan(1e-8);
  });

  test.each(precise)('q = $samplingRate, z = $noiseMultiplier, order $order: 40-digit value', (vector) => {
    const value = rdpOf(sampled(vector.noiseMultiplier, vector.samplingRate), vector.order);
    expect(relative(value, vector.rdp)).toBeLessThan(1e-10);
  });

  test('agrees with plain quadrature of the definition at random q, z and order', () => {
    const rates = fc.double({ min: 1e-4, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(rates, fc.double({ min: 0.25, max: 12, noNaN: true }), orders, (q, z, order) => {
        const expected = logMomentByQuadrature(q, z, order);
        const value = rdpOf(sampled(z, q), order) * (order - 1);
        expect(Math.abs(value - expected)).toBeLessThan(1e-11 * Math.max(1, expected));
      }),
      { numRuns: 150 },
    );
  });

  test('whole orders and orders right beside them, computed in two ways, meet', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 0.99, noNaN: true }),
        fc.double({ min: 0.3, max: 9, noNaN: true }),
        fc.integer({ min: 2, max: 63 }),
        (q, z, order) => {
          const event = sampled(z, q);
          expect(relative(rdpOf(event, order + 1e-10), rdpOf(event, order))).toBeLessThan(1e-6);
        },
      ),
    );
  });

  test('by hand: ln(1 + q^2 (e - 1)) at z = 1, order 2', () => {
    expect(rdpOf(sampled(1, 0.01), 2)).toBeCloseTo(Math.log1p(1e-4 * (Math.E - 1)), 16);
  });

  test('never above the plain Gaussian, and equal to it at q = 1', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.3, max: 20, noNaN: true }),
        fc.double({ min: 1e-4, max: 1, noNaN: true }),
        orders,
        (z, q, order) => {
          expect(rdpOf(sampled(z, q), order)).toBeLessThanOrEqual(rdpOf(gaussian(z), order) * (1 + 1e-12));
          expect(rdpOf(sampled(z, 1), order)).toBe(rdpOf(gaussian(z), order));
        },
      ),
    );
    expect(relative(rdpOf(sampled(1.3, 1 - 1e-9), 3.3), rdpOf(gaussian(1.3), 3.3))).toBeLessThan(1e-7);
  });

  test('tiny noise gives huge, never undefined, divergences', () => {
    for (const z of [1e-200, 1e-9, 0.001, 0.015, 0.02, 0.05])
      for (const q of [1e-9, 0.01, 0.999])
        for (const order of [1.1, 1.5, 2, 10.9, 1024]) {
          const value = rdpOf(sampled(z, q), order);
          expect(value).toBeGreaterThan(z > 0.01 && q < 1e-3 && order < 2 ? 0 : 5);
        }
  });

  test('where quadrature gives way to interpolation, the value lies between a lower bound and the chord', () => {
    for (const z of [0.004, 0.006])
      for (const [order, left, right] of [
        [1.1, 1, 2],
        [1.9, 1, 2],
        [7.7, 7, 8],
      ] as const) {
        const logMoment = (alpha: number): number =>
          alpha === 1 ? 0 : rdpOf(sampled(z, 0.1), alpha) * (alpha - 1);
        const hitsOnly = order * Math.log(0.1) + (order * (order - 1)) / (2 * z * z);
        const chord = (right - order) * logMoment(left) + (order - left) * logMoment(right);
        expect(logMoment(order)).toBeGreaterThan(hitsOnly * (1 - 1e-12));
        expect(logMoment(order)).toBeLessThanOrEqual(chord * (1 + 1e-9));
      }
  });

  test('at the change from quadrature to interpolation the divergence still falls with noise', () => {
    for (const order of [1.1, 1.5, 7.7]) {
      const values = [0.005, 0.006, 0.007, 0.0075, 0.008, 0.01, 0.015, 0.02, 0.03].map((z) =>
        rdpOf(sampled(z, 0.1), order),
      );
      expect(values).toEqual([...values].sort((a, b) => b - a));
    }
  });
});

describe('rdpOf every event', () => {
  test('plain Gaussian: order / (2 z^2)', () => {
    expect(rdpOf(gaussian(0.5), 3.3)).toBeCloseTo(6.6, 14);
    expect(rdpOf(gaussian(4), 64)).toBe(2);
  });

  test('is never negative, never undefined, and does not fall with the order', () => {
    fc.assert(
      fc.property(events, orders, orders, (event, a, b) => {
        const [low, high] = [rdpOf(event, Math.min(a, b)), rdpOf(event, Math.max(a, b))];
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeGreaterThanOrEqual(low * (1 - 1e-9));
      }),
    );
  });

  test('more noise never costs more', () => {
    fc.assert(
      fc.property(events, orders, fc.double({ min: 1, max: 10, noNaN: true }), (event, order, factor) => {
        expect(rdpOf(withNoiseTimes(event, factor), order)).toBeLessThanOrEqual(
          rdpOf(event, order) * (1 + 1e-10),
        );
      }),
    );
  });

  test('non-private is infinite at every order', () => {
    expect(defaultOrders.map((order) => rdpOf(nonPrivate, order))).toEqual(defaultOrders.map(() => Infinity));
  });
});

describe('composedRdp', () => {
  test('n events cost n times one, in any order and however they are grouped', () => {
    fc.assert(
      fc.property(
        ledgers,
        noisyEvents,
        fc.integer({ min: 1, max: 50 }),
        orders,
        (entries, event, count, order) => {
          const one = composedRdp([{ event, count: 1 }])(order);
          expect(composedRdp([{ event, count }])(order)).toBeCloseTo(count * one, 9);
          const single = Array.from({ length: count }, () => ({ event, count: 1 }));
          const forward = composedRdp([...entries, { event, count }])(order);
          const backward = composedRdp([...single, ...[...entries].reverse()])(order);
          expect(relative(backward, forward)).toBeLessThan(1e-12);
        },
      ),
    );
  });

  test('nothing costs nothing; one non-private event makes everything infinite', () => {
    expect(composedRdp([])(2)).toBe(0);
    expect(
      composedRdp([
        { event: gaussian(1), count: 1 },
        { event: nonPrivate, count: 1 },
      ])(2),
    ).toBe(Infinity);
  });

  test('remembering changes no value', () => {
    const remembered = rememberedRdp();
    fc.assert(
      fc.property(ledgers, orders, (entries, order) => {
        expect(composedRdp(entries, remembered)(order)).toBe(composedRdp(entries)(order));
        expect(composedRdp(entries, remembered)(order)).toBe(composedRdp(entries)(order));
      }),
    );
  });
});

test('the default orders are the 156 of dp_accounting, ascending', () => {
  expect(defaultOrders).toHaveLength(156);
  expect([...defaultOrders].sort((a, b) => a - b)).toEqual(defaultOrders);
  expect([0, 9, 98, 99, 151, 152, 155].map((index) => defaultOrders[index])).toEqual([
    1.1, 2, 10.9, 11, 63, 128, 1024,
  ]);
});
