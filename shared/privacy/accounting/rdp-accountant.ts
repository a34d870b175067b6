import { type Delta, Epsilon } from '../../units.ts';
import type { LedgerEntry } from './event.ts';
import { composedRdp, defaultOrders, type RdpCurve } from './rdp.ts';

/**
 * How a Renyi divergence becomes epsilon. 'improved': Canonne, Kamath, Steinke 2020 (arXiv:2004.00010, Proposition 12).
 * 'basic': Mironov 2017 (arXiv:1702.07476, Proposition 3), looser, as older papers print it.
 */
export type Conversion = 'improved' | 'basic';

/**
 * Upper bound on the epsilon (nats) of all entries together at this delta, from Renyi divergences; neighbouring: add or
 * remove one user. No entry: 0. Anything non-private: Infinity. Never below the true epsilon, whichever orders are used:
 * each order's bound holds by itself, and the least is taken.
 */
export function rdpEpsilon(
  entries: readonly LedgerEntry[],
  delta: Delta,
  conversion: Conversion = 'improved',
  orders: readonly number[] = defaultOrders,
): Epsilon {
  return epsilonOfCurve(composedRdp(entries), delta, conversion, orders);
}

/** The same from a composed divergence. */
export function epsilonOfCurve(
  curve: RdpCurve,
  delta: Delta,
  conversion: Conversion = 'improved',
  orders: readonly number[] = defaultOrders,
): Epsilon {
  const bound = conversion === 'improved' ? improvedEpsilon : basicEpsilon;
  const least = orders.reduce(
    (smallest, order) => Math.min(smallest, bound(curve(order), order, delta)),
    Infinity,
  );
  return Epsilon.parse(Math.max(0, least));
}

/**
 * Upper bound in [0, 1] on the delta of all entries together at this epsilon: the conversion solved for delta, and with the
 * improved one the total variation distance where that is less.
 */
export function rdpDelta(
  entries: readonly LedgerEntry[],
  epsilon: Epsilon,
  conversion: Conversion = 'improved',
): number {
  return deltaOfCurve(composedRdp(entries), epsilon, conversion);
}

/** The same from a composed divergence. */
export function deltaOfCurve(curve: RdpCurve, epsilon: number, conversion: Conversion = 'improved'): number {
  const bound = conversion === 'improved' ? improvedDelta : basicDelta;
  return defaultOrders.reduce(
    (smallest, order) => Math.min(smallest, bound(curve(order), order, epsilon)),
    1,
  );
}

function improvedEpsilon(rdp: number, order: number, delta: number): number {
  if (totalVariation(rdp) < delta) return 0;
  return rdp + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1);
}

function basicEpsilon(rdp: number, order: number, delta: number): number {
  return rdp === 0 ? 0 : rdp - Math.log(delta) / (order - 1);
}

function improvedDelta(rdp: number, order: number, epsilon: number): number {
  if (epsilon === Infinity) return rdp === Infinity ? 1 : 0;
  return Math.min(
    totalVariation(rdp),
    Math.exp((order - 1) * (rdp - epsilon + Math.log1p(-1 / order))) / order,
  );
}

function basicDelta(rdp: number, order: number, epsilon: number): number {
  if (rdp === 0 || epsilon === Infinity) return rdp === Infinity ? 1 : 0;
  return Math.exp((order - 1) * (rdp - epsilon));
}

/** Bretagnolle and Huber: TV <= sqrt(1 - e^-KL); a Renyi divergence of order > 1 is at least KL. */
function totalVariation(rdp: number): number {
  return Math.sqrt(-Math.expm1(-rdp));
}
