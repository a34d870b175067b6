import { assertNever } from '../errors.ts';
import type { LedgerEntry, MechanismEvent } from './event.ts';
import { logMoment } from './log-moment.ts';

/** Renyi divergence in nats as a function of the order alpha > 1. */
export type RdpCurve = (order: number) => number;

/** The 156 orders of Google's dp_accounting: 1.1 .. 10.9 by tenths, 11 .. 63, 128, 256, 512, 1024. */
export const defaultOrders: readonly number[] = [
  ...Array.from({ length: 99 }, (_, index) => 1 + (index + 1) / 10),
  ...Array.from({ length: 53 }, (_, index) => 11 + index),
  ...[128, 256, 512, 1024],
];

/**
 * Renyi divergence of one event at an order alpha > 1, in nats, >= 0, exact to float64; Infinity where nothing is promised.
 * Neighbouring: add or remove one user. Mironov 2017 (arXiv:1702.07476, Proposition 7) for the Gaussian; Mironov, Talwar,
 * Zhang 2019 (arXiv:1908.10530) for Poisson sampling.
 */
export function rdpOf(event: MechanismEvent, order: number): number {
  switch (event.type) {
    case 'gaussian':
      return gaussianRdp(event.noiseMultiplier, order);
    case 'poisson-subsampled-gaussian':
      return event.samplingRate === 1
        ? gaussianRdp(event.noiseMultiplier, order)
        : logMoment(event.samplingRate, event.noiseMultiplier, order) / (order - 1);
    case 'non-private':
      return Infinity;
    default:
      return assertNever(event);
  }
}

/**
 * Divergence of all entries together: divergences at one order add up (Mironov 2017, Proposition 1), also when later events
 * depend on earlier releases. The only place where a count multiplies. `cost` is one event's divergence; pass a remembering
 * one where the same events are asked for again and again.
 */
export function composedRdp(entries: readonly LedgerEntry[], cost: typeof rdpOf = rdpOf): RdpCurve {
  return (order) => entries.reduce((total, { event, count }) => total + count * cost(event, order), 0);
}

/** `rdpOf` that computes each (event object, order) once. Its memory lives as long as the function does. */
export function rememberedRdp(): typeof rdpOf {
  const known = new Map<MechanismEvent, Map<number, number>>();
  return (event, order) => {
    const curve = known.get(event) ?? new Map<number, number>();
    known.set(event, curve);
    const value = curve.get(order) ?? rdpOf(event, order);
    curve.set(order, value);
    return value;
  };
}

function gaussianRdp(noiseMultiplier: number, order: number): number {
  return order / 2 / noiseMultiplier / noiseMultiplier;
}
