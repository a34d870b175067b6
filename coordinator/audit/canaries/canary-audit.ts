import { z } from 'zod';
import type {
  Alarm,
  CanaryReport,
  CanaryView,
  EpsilonEstimate,
} from '../../../shared/protocol/canary-report.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import type { RoundIndex, SiteId } from '../../../shared/units.ts';
import { canaryEstimate } from '../epsilon/canary-estimate.ts';
import { correctGuesses, guesses, oneRunLowerBound } from '../epsilon/one-run.ts';
import { roundConfidence } from '../epsilon/spending.ts';
import { type CanaryScores, type RunScore, runScores } from './scores.ts';

/** The one-run audit of the canaries, fixed before the run: whoever chose them afterwards would prove nothing. */
export const OneRunOptions = z.strictObject({
  /**
   * Canaries guessed to be members, and as many guessed to be held-out. `all`: half of the m canaries each, some of which the
   * coins make wrong. `most`: sqrt(m) fewer, two standard deviations of the coins, so that an attack that knows can be right.
   */
  guessesPerSide: z.union([z.enum(['most', 'all']), z.number().int().positive()]).default('most'),
  /** Of all lower bounds of a run together, over its rounds and both views. */
  confidence: z.number().gt(0).lt(1).default(0.95),
});
export type OneRunOptions = z.infer<typeof OneRunOptions>;

/** What the canaries' audit of a round works on. */
export interface CanaryEvidence {
  readonly round: RoundIndex;
  /** Coins by site of all sites that enrolled, shape (numCanaries,): 0 member, 1 held-out. */
  readonly coins: ReadonlyMap<SiteId, Int32Array>;
  /** Scores of all rounds so far, this one included. */
  readonly history: readonly CanaryScores[];
  readonly delta: number;
  /** `none`: nothing is promised. `correlated`: the noise of different rounds is not independent. */
  readonly noise: 'independent' | 'correlated' | 'none';
}

/**
 * Epsilon as the canaries show it after a round, in both views (algorithms E2, E4, E7). Neighbouring: one canary added or
 * removed, which is one user. Pure. The estimate rests on Gaussian noise; the bound rests on the coins alone.
 */
export function auditCanaries(evidence: CanaryEvidence, options: OneRunOptions): CanaryReport {
  const flipped = [...evidence.coins.values()].flatMap((coins) => [...coins]);
  const members = flipped.filter((coin) => coin === 0).length;
  const heldOut = flipped.length - members;
  const missing = whatIsMissing(evidence, flipped.length);
  if (missing !== undefined) return { status: 'not-measured', reason: missing };
  const view = (name: 'coordinator' | 'recipients'): CanaryView => viewOf(name, evidence, options);
  return {
    status: 'measured',
    members,
    heldOut,
    coordinator: view('coordinator'),
    recipients: view('recipients'),
  };
}

/** The views in which the lower bound is above the accounted epsilon; none is the rule. */
export function alarmsOf(report: CanaryReport, accounted: RoundReport['epsilon']): Alarm[] {
  if (report.status !== 'measured') return [];
  return (['coordinator', 'recipients'] as const).flatMap((view) => {
    const [bound, promised] = [report[view].bound.epsilon, accounted[view]];
    return promised !== 'infinite' && bound > promised ? [{ view, bound, accounted: promised }] : [];
  });
}

function whatIsMissing({ noise }: CanaryEvidence, canaries: number): string | undefined {
  if (noise === 'none') return 'nothing is promised, so there is no epsilon to measure';
  if (canaries === 0) return 'no site has random-direction canaries (audit.canaries.directions)';
  return undefined;
}

function viewOf(
  view: 'coordinator' | 'recipients',
  evidence: CanaryEvidence,
  options: OneRunOptions,
): CanaryView {
  const { coins, history, round } = evidence;
  const run = runScores(coins, history, view);
  const thisRound = history.filter((line) => line.round === round);
  return {
    roundEstimate: estimateOf(runScores(coins, thisRound, view), evidence),
    runEstimate: estimateOf(run, evidence),
    bound: boundOf(run, evidence, options),
  };
}

/** Two views, and every round is another look. */
function boundOf(
  run: readonly RunScore[],
  { round, delta }: CanaryEvidence,
  { guessesPerSide, confidence }: OneRunOptions,
): CanaryView['bound'] {
  const perSide = perSideOf(guessesPerSide, run.length);
  const scores = Float64Array.from(run, ({ logRatio }) => logRatio);
  const correct = correctGuesses(
    guesses(scores, perSide),
    run.map(({ isMember }) => isMember),
  );
  const audit = { canaries: run.length, guesses: 2 * perSide, correct };
  const spent = roundConfidence(1 - (1 - confidence) / 2, round);
  return { epsilon: oneRunLowerBound(audit, { delta, confidence: spent }), confidence: spent, ...audit };
}

/** Depends on the number of canaries only, never on what came of them. */
function perSideOf(declared: OneRunOptions['guessesPerSide'], canaries: number): number {
  const half = Math.floor(canaries / 2);
  if (declared === 'all') return half;
  if (declared === 'most') return Math.min(half, Math.max(1, Math.floor(canaries / 2 - Math.sqrt(canaries))));
  return Math.min(declared, half);
}

/** A sound run gives this p-value or a smaller one in a tenth of a percent of its looks. */
const smallestPValue = 0.001;

function estimateOf(all: readonly RunScore[], { delta, noise }: CanaryEvidence): EpsilonEstimate {
  if (noise === 'correlated')
    return { status: 'not-measured', reason: 'the noise of different rounds is correlated' };
  const seen = all.filter(({ rounds }) => rounds > 0);
  const scoresOf = (wanted: boolean): Float64Array =>
    Float64Array.from(seen.filter(({ isMember }) => isMember === wanted).map(({ sum }) => sum));
  const [members, heldOut] = [scoresOf(true), scoresOf(false)];
  if (members.length < 1 || heldOut.length < 2)
    return {
      status: 'not-measured',
      reason: `${members.length} member and ${heldOut.length} held-out canaries answered; it takes 1 and 2`,
    };
  const estimate = canaryEstimate({ members, heldOut }, { delta, confidence: 0.95 });
  const { epsilon, low, high, nullMean, nullStdDev, nullPValue } = estimate;
  if (nullPValue >= smallestPValue) return { status: 'measured', epsilon, low, high };
  const found = `mean ${nullMean.toFixed(2)}, standard deviation ${nullStdDev.toFixed(2)}`;
  return {
    ...{ status: 'void', epsilon, low, high },
    reason:
      `the held-out canaries are not standard normal (${found}): ` +
      (nullStdDev < 1 ? 'less noise than was promised' : "more than noise, such as the other users' updates"),
  };
}
