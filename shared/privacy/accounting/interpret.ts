import { ParleyError } from '../../errors.ts';
import { matrixSensitivity } from '../banded-sensitivity.ts';
import type { LedgerEntry, MechanismEvent } from './event.ts';

/** What every event comes down to: releases of a Gaussian mechanism on sensitivity 1, after a coin of probability q. */
export interface SampledGaussians {
  /** Standard deviation over sensitivity, > 0. */
  readonly noiseMultiplier: number;
  /** In (0, 1]; 1 where there is no coin. */
  readonly samplingRate: number;
  /** Integer >= 1. */
  readonly count: number;
}

/** Different mechanisms with their counts, in an order that does not depend on the ledger's; or no promise at all. */
export type Interpretation = readonly SampledGaussians[] | 'non-private';

/**
 * What the entries cost, in the terms that accountants know. The only place where counts multiply. Composition is adaptive:
 * later events may depend on earlier releases. Neighbouring: add or remove one user.
 *
 * @throws EVENT_UNSUPPORTED when a banded matrix's later rounds are not covered by its first, or an event is of no known kind.
 */
export function interpreted(entries: readonly LedgerEntry[]): Interpretation {
  const tally: Tally = { mechanisms: new Map(), covered: new Map(), isPrivate: true };
  for (const { event, count } of entries) add(event, count, tally);
  if (!tally.isPrivate) return 'non-private';
  for (const uncovered of tally.covered.values()) if (uncovered < 0) throw unsupported(-uncovered);
  return [...tally.mechanisms.values()].sort(
    (a, b) => a.samplingRate - b.samplingRate || a.noiseMultiplier - b.noiseMultiplier,
  );
}

interface Tally {
  readonly mechanisms: Map<string, SampledGaussians>;
  /** Rounds of each banded matrix that are paid and not yet released. */
  readonly covered: Map<string, number>;
  isPrivate: boolean;
}

function add(event: MechanismEvent, count: number, tally: Tally): void {
  switch (event.type) {
    case 'gaussian':
      addGaussians(tally, { noiseMultiplier: event.noiseMultiplier, samplingRate: 1, count });
      return;
    case 'poisson-subsampled-gaussian':
      addGaussians(tally, { ...event, count });
      return;
    case 'adaptive-clipping': {
      const { updateNoiseMultiplier, quantileNoiseMultiplier, samplingRate } = event;
      const noiseMultiplier = jointNoiseMultiplier(updateNoiseMultiplier, quantileNoiseMultiplier);
      addGaussians(tally, { noiseMultiplier, samplingRate, count });
      return;
    }
    case 'banded-matrix': {
      const noiseMultiplier = event.noiseMultiplier / matrixSensitivity(event.matrix);
      addGaussians(tally, { noiseMultiplier, samplingRate: 1, count });
      cover(tally, event, count * (event.matrix.rounds - 1));
      return;
    }
    case 'banded-matrix-step':
      cover(tally, event, -count);
      return;
    case 'non-private':
      tally.isPrivate = false;
      return;
    case 'composition':
      for (const part of event.events) add(part, count, tally);
      return;
    case 'repetition':
      add(event.event, count * event.count, tally);
      return;
    default:
      throw unknownKind(event);
  }
}

/**
 * Noise multiplier of two Gaussian releases of the same users together: z^-2 = z_1^-2 + z_2^-2 (Andrew et al. 2021,
 * arXiv:1905.03871, Theorem 1).
 */
export function jointNoiseMultiplier(first: number, second: number): number {
  return 1 / Math.hypot(1 / first, 1 / second);
}

function addGaussians(tally: Tally, { noiseMultiplier, samplingRate, count }: SampledGaussians): void {
  const key = `${noiseMultiplier} ${samplingRate}`;
  const before = tally.mechanisms.get(key)?.count ?? 0;
  tally.mechanisms.set(key, { noiseMultiplier, samplingRate, count: before + count });
}

function cover(
  tally: Tally,
  { noiseMultiplier, matrix }: Extract<MechanismEvent, { type: 'banded-matrix' | 'banded-matrix-step' }>,
  rounds: number,
): void {
  const key = JSON.stringify({ noiseMultiplier, matrix });
  tally.covered.set(key, (tally.covered.get(key) ?? 0) + rounds);
}

function unsupported(rounds: number): ParleyError {
  return new ParleyError(
    'EVENT_UNSUPPORTED',
    `${rounds} round(s) of a banded matrix mechanism are not covered by a first round in the same ledger, so what they cost ` +
      'is not known: restore the ledger that holds its beginning',
  );
}

/** The compiler sees to it that all kinds are known; a ledger of a later version may hold others all the same. */
function unknownKind(event: never): ParleyError {
  return new ParleyError(
    'EVENT_UNSUPPORTED',
    `an event of a kind that this version does not know: ${JSON.stringify(event)}; use the version that wrote the ledger`,
  );
}
