import { ParleyError } from '../../errors.ts';
import { type Delta, type Epsilon, NoiseMultiplier, type SamplingRate } from '../../units.ts';
import { type LedgerEntry, type MechanismEvent, sampledGaussian } from './event.ts';
import { composedRdp, rememberedRdp } from './rdp.ts';
import { epsilonOfCurve, rdpEpsilon } from './rdp-accountant.ts';

/** What a run must stay within. */
export interface Target {
  /** Nats; finite. */
  readonly epsilon: Epsilon;
  readonly delta: Delta;
  /** Releases of one site, integer >= 1. */
  readonly rounds: number;
  readonly samplingRate: SamplingRate;
}

const leastNoise = 2 ** -6;
const mostNoise = 2 ** 20;
const relativePrecision = 1e-6;

/**
 * The noise multiplier z that keeps `rounds` releases within (epsilon, delta), within 1e-6 of the least one that does by
 * this accountant and never below it: the returned z has itself been checked. At least 2^-6.
 * Throws CALIBRATION_IMPOSSIBLE when epsilon is infinite, `rounds` is no integer >= 1, or even z = 2^20 is too little.
 */
export function noiseMultiplierFor(target: Target): NoiseMultiplier {
  const { epsilon, delta, rounds, samplingRate } = target;
  if (epsilon === Infinity || !Number.isInteger(rounds) || rounds < 1)
    throw impossible(target, 'ask for a finite epsilon and an integer number of rounds >= 1');
  const suffices = (z: number): boolean => {
    const event = sampledGaussian(NoiseMultiplier.parse(z), samplingRate);
    return rdpEpsilon([{ event, count: rounds }], delta) <= epsilon;
  };
  if (suffices(leastNoise)) return NoiseMultiplier.parse(leastNoise);
  let enough = 2 * leastNoise;
  while (!suffices(enough)) {
    enough *= 2;
    if (enough > mostNoise) throw impossible(target, 'allow a larger epsilon or delta, or fewer rounds');
  }
  return NoiseMultiplier.parse(bisected(enough / 2, enough, suffices));
}

/** Halves the bracket until it is narrow, keeping `suffices(enough)` true all the way. */
function bisected(below: number, above: number, suffices: (z: number) => boolean): number {
  let [tooLittle, enough] = [below, above];
  while (enough - tooLittle > relativePrecision * tooLittle) {
    const middle = (tooLittle + enough) / 2;
    if (suffices(middle)) enough = middle;
    else tooLittle = middle;
  }
  return enough;
}

function impossible(target: Target, advice: string): ParleyError {
  const { epsilon, delta, rounds, samplingRate } = target;
  return new ParleyError(
    'CALIBRATION_IMPOSSIBLE',
    `no noise multiplier up to ${mostNoise} keeps ${rounds} rounds at sampling rate ${samplingRate} within epsilon ${epsilon}, delta ${delta}: ${advice}`,
  );
}

const mostRounds = 2 ** 40;

/**
 * How many more such events fit: the largest n for which the entries and n events stay within (epsilon, delta); 0 when the
 * entries alone exceed it or no event fits; Infinity when 2^40 of them fit.
 */
export function roundsWithin(budget: {
  readonly epsilon: Epsilon;
  readonly delta: Delta;
  readonly entries: readonly LedgerEntry[];
  readonly event: MechanismEvent;
}): number {
  const { epsilon, delta, entries, event } = budget;
  const cost = rememberedRdp();
  const fits = (count: number): boolean =>
    epsilonOfCurve(composedRdp([...entries, { event, count }], cost), delta) <= epsilon;
  if (!fits(1)) return 0;
  let fitting = 1;
  while (fits(2 * fitting)) {
    fitting *= 2;
    if (fitting >= mostRounds) return Infinity;
  }
  for (let more = fitting / 2; more >= 1; more /= 2) if (fits(fitting + more)) fitting += more;
  return fitting;
}
