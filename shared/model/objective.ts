import { type Defence, defencesIn, type SingleDefence } from './defence.ts';

/** RelaxLoss's settings without the schedule. */
export type RelaxLoss = Extract<SingleDefence, { type: 'relaxloss' }>;

/**
 * What one local step descends, over the records of that step. `approach` pulls the mean loss L towards alpha: |L - alpha|,
 * which ascends below it; `flatten` descends L above alpha and flattens the other classes' probabilities below it.
 */
export type Objective =
  | { readonly type: 'cross-entropy' }
  | { readonly type: 'relaxloss'; readonly phase: 'approach' | 'flatten'; readonly settings: RelaxLoss }
  | SoftTargets;

/**
 * Mean of -sum_j target_j log p_j - entropyWeight * H(p) - targetEntropy, where the target gives `trueShare` to the record's
 * class and the rest evenly to the others.
 */
export interface SoftTargets {
  readonly type: 'soft-targets';
  readonly trueShare: number;
  readonly entropyWeight: number;
  /** What the cross-entropy exceeds the Kullback-Leibler divergence by, in nats; 0 where the cross-entropy is meant. */
  readonly targetEntropy: number;
}

/** What an objective depends on beside the defence. */
export interface StepOf {
  /** Both counted from 0. */
  readonly round: number;
  readonly epoch: number;
  /** Classes that the model tells apart, >= 2. */
  readonly numClasses: number;
}

/**
 * The objective of one local epoch. RelaxLoss (Chen, Yu and Fritz, ICLR 2022; the authors' code) alternates: even is
 * `approach`, odd is `flatten`; counted over rounds or over local epochs as `parity` says. Dropout and noise leave the
 * objective alone; mixed records have two classes each and need soft targets.
 */
export function objectiveOf(defence: Defence, { round, epoch, numClasses }: StepOf): Objective {
  const parts = defencesIn(defence);
  const relaxloss = parts.find((part) => part.type === 'relaxloss');
  if (relaxloss) {
    const count = relaxloss.parity === 'round' ? round : epoch;
    return { type: 'relaxloss', phase: count % 2 === 0 ? 'approach' : 'flatten', settings: relaxloss };
  }
  const changes = parts.flatMap((part) => changeOf(part, numClasses));
  if (changes.length === 0) return { type: 'cross-entropy' };
  return changes.reduce<SoftTargets>((objective, change) => ({ ...objective, ...change }), plainTargets);
}

const plainTargets: SoftTargets = {
  type: 'soft-targets',
  trueShare: 1,
  entropyWeight: 0,
  targetEntropy: 0,
};

function changeOf(defence: SingleDefence, numClasses: number): Partial<SoftTargets>[] {
  switch (defence.type) {
    case 'label-smoothing':
      return [{ trueShare: 1 - defence.smoothing + defence.smoothing / numClasses }];
    case 'confidence-penalty':
      return [{ entropyWeight: defence.entropyWeight }];
    case 'hamp': {
      const trueShare = shareOfEntropy(defence.entropyShare, numClasses);
      const targetEntropy = labelEntropy(trueShare, numClasses);
      return [{ trueShare, targetEntropy, entropyWeight: defence.entropyWeight }];
    }
    case 'mixup':
      return [{}];
    case 'none':
    case 'relaxloss':
    case 'dropout':
    case 'input-noise':
    case 'representation-noise':
      return [];
  }
}

/** Entropy in nats of a label that gives `share` to one class and the rest evenly to the others. */
function labelEntropy(share: number, numClasses: number): number {
  const other = (1 - share) / (numClasses - 1);
  const rest = other > 0 ? (1 - share) * Math.log(other) : 0;
  return -share * Math.log(share) - rest;
}

/**
 * The largest share of the true class whose label has at least `entropyShare` of the entropy ln(numClasses); the entropy falls
 * as the share grows from 1 / numClasses to 1.
 */
export function shareOfEntropy(entropyShare: number, numClasses: number): number {
  const least = entropyShare * Math.log(numClasses);
  let [low, high] = [1 / numClasses, 1];
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (labelEntropy(middle, numClasses) >= least) low = middle;
    else high = middle;
  }
  return low;
}
