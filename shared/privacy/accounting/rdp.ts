import type { LedgerEntry, MechanismEvent } from './event.ts';
import { interpreted, type SampledGaussians } from './interpret.ts';
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
 * Neighbouring: add or remove one user. Throws EVENT_UNSUPPORTED.
 */
export function rdpOf(event: MechanismEvent, order: number): number {
  return composedRdp([{ event, count: 1 }])(order);
}

/**
 * Divergence of all entries together: divergences at one order add up (Mironov 2017, arXiv:1702.07476, Proposition 1), also
 * when later events depend on earlier releases. `cost` is one mechanism's divergence; pass a remembering one where the same
 * mechanisms are asked for again and again. Throws EVENT_UNSUPPORTED.
 */
export function composedRdp(
  entries: readonly LedgerEntry[],
  cost: typeof mechanismRdp = mechanismRdp,
): RdpCurve {
  const mechanisms = interpreted(entries);
  if (mechanisms === 'non-private') return () => Infinity;
  return (order) =>
    mechanisms.reduce((total, mechanism) => total + mechanism.count * cost(mechanism, order), 0);
}

type Mechanism = Pick<SampledGaussians, 'noiseMultiplier' | 'samplingRate'>;

/**
 * Renyi divergence of one release. Mironov 2017 (Proposition 7) for the Gaussian; Mironov, Talwar, Zhang 2019
 * (arXiv:1908.10530) for Poisson sampling.
 */
function mechanismRdp({ noiseMultiplier, samplingRate }: Mechanism, order: number): number {
  return samplingRate === 1
    ? order / 2 / noiseMultiplier / noiseMultiplier
    : logMoment(samplingRate, noiseMultiplier, order) / (order - 1);
}

/** A divergence that computes each (mechanism, order) once. Its memory lives as long as the function does. */
export function rememberedRdp(): typeof mechanismRdp {
  const known = new Map<string, number>();
  return (mechanism, order) => {
    const key = `${mechanism.noiseMultiplier} ${mechanism.samplingRate} ${order}`;
    const value = known.get(key) ?? mechanismRdp(mechanism, order);
    known.set(key, value);
    return value;
  };
}
