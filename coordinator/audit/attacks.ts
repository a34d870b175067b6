import { type Attack, isMeasured, type Scores } from './attack.ts';
import { bySize } from './attacks/by-size.ts';
import { compactness, pair, separation } from './attacks/embedding.ts';
import { freshLogRatio, logRatio } from './attacks/log-ratio.ts';
import { quantile } from './attacks/quantile.ts';
import { byClass, byClassWherePossible, meanOf } from './attacks/record-scores.ts';
import { rmia } from './attacks/rmia.ts';
import { average, lastMinusFirst, slope, steepestStep } from './attacks/trajectory.ts';
import type { Evidence } from './evidence.ts';
import { neighbourDifference, neighbourPool } from './neighbours.ts';

/** The attacks by name; docs/auditing.md has their formulas. To add one, enter it here and there. */
export const attacks = {
  'mean-log-ratio': logRatio('mean', 'initial'),
  'max-log-ratio': logRatio('max', 'initial'),
  'trimmed-log-ratio': logRatio('trimmed', 'initial'),
  'mean-log-ratio-by-size': bySize(logRatio('mean', 'initial')),
  'max-log-ratio-by-size': bySize(logRatio('max', 'initial')),
  'trimmed-log-ratio-by-size': bySize(logRatio('trimmed', 'initial')),
  'fresh-mean-log-ratio': freshLogRatio,
  'mean-reference-ratio': logRatio('mean', 'references'),
  'max-reference-ratio': logRatio('max', 'references'),
  'trimmed-reference-ratio': logRatio('trimmed', 'references'),
  'mean-reference-ratio-by-size': bySize(logRatio('mean', 'references')),
  'max-reference-ratio-by-size': bySize(logRatio('max', 'references')),
  'trimmed-reference-ratio-by-size': bySize(logRatio('trimmed', 'references')),
  'neighbour-difference': overNeighbours,
  rmia,
  quantile,
  'trajectory-slope': slope('loss'),
  'trajectory-mean': average('loss'),
  'trajectory-difference': lastMinusFirst('loss'),
  'trajectory-step': steepestStep('loss'),
  'margin-slope': slope('margin'),
  'margin-mean': average('margin'),
  'margin-difference': lastMinusFirst('margin'),
  'margin-step': steepestStep('margin'),
  'embedding-compactness': compactness,
  'embedding-pair': pair,
  'embedding-separation': separation,
  'embedding-compactness-by-size': bySize(compactness),
  'embedding-pair-by-size': bySize(pair),
  loss: meanOf('loss'),
  confidence: meanOf('confidence'),
  entropy: meanOf('entropy'),
  'modified-entropy': byClassWherePossible('modifiedEntropy'),
  margin: meanOf('margin'),
  hinge: meanOf('hinge'),
  'loss-by-class': byClass('loss'),
  'confidence-by-class': byClass('confidence'),
  'entropy-by-class': byClass('entropy'),
  'margin-by-class': byClass('margin'),
  'hinge-by-class': byClass('hinge'),
} satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof attacks;

// The cast says what Object.keys does not: the keys of this constant table are its type's keys.
/** Every attack that runs after a round; one of them is declared before the run and the others stand beside it. */
export const attackNames = Object.keys(attacks) as [AttackName, ...AttackName[]];

/** What every attack gave: scores of shape (numUsers,), 8 bytes for each user and attack, and why others have none. */
export interface AttackScores {
  readonly measured: ReadonlyMap<AttackName, Float64Array>;
  readonly notMeasured: readonly { readonly attack: string; readonly reason: string }[];
}

/** Run the attacks that are asked for; `pause` is awaited after each, so that other work can pass in between. */
export async function scoresOf(
  evidence: Evidence,
  asked: 'all' | readonly AttackName[],
  pause: () => Promise<void>,
): Promise<AttackScores> {
  const measured = new Map<AttackName, Float64Array>();
  const notMeasured: { attack: string; reason: string }[] = [];
  for (const attack of attackNames) {
    if (asked !== 'all' && !asked.includes(attack)) {
      notMeasured.push({ attack, reason: 'audit.attacks does not name it' });
      continue;
    }
    const scores: Scores = attacks[attack](evidence);
    if (isMeasured(scores)) measured.set(attack, scores);
    else notMeasured.push({ attack, reason: scores.notMeasured });
    await pause();
  }
  return { measured, notMeasured };
}

/**
 * Mean log-ratio less its mean over the 30 reference users who stand nearest in the space of features (Rezaei and Liu 2022, with
 * neighbours for the subpopulation): what the model knows of her beyond what it knows of people like her.
 */
function overNeighbours(evidence: Evidence): Scores {
  const { population } = evidence;
  const pool = neighbourPool(population);
  if (pool === undefined)
    return {
      notMeasured: 'the sites tell no places (audit.places), or there are 30 reference users or fewer',
    };
  const scores = logRatio('mean', 'initial')(evidence);
  return isMeasured(scores) ? neighbourDifference(population, scores) : scores;
}
