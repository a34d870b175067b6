import { classCalibration } from './class-calibration.ts';
import { type Evidence, meanByUser } from './evidence.ts';
import { neighbourDifference, neighbourPool } from './neighbours.ts';

/**
 * An attack: one score per user, shape (numUsers,), larger = more likely member. It is a pure function of the evidence and
 * never looks at who is a member or held out; those roles evaluate it afterwards. Reference users, who never train, may
 * calibrate it.
 */
export type Attack = (evidence: Evidence) => Float64Array;

/** Every attack that runs after a round; one of them is declared before the run and the others stand beside it. */
export const attackNames = [
  'mean-log-ratio',
  'trajectory-slope',
  'loss',
  'modified-entropy',
  'margin',
  'neighbour-difference',
] as const;
export type AttackName = (typeof attackNames)[number];

/** The attacks by name; docs/auditing.md has their formulas. */
export const attacks: Readonly<Record<AttackName, Attack>> = {
  'mean-log-ratio': meanLogRatio,
  'trajectory-slope': trajectorySlope,
  loss: lowLoss,
  'modified-entropy': lowModifiedEntropy,
  margin: largeMargin,
  'neighbour-difference': overNeighbours,
};

/** Whether an attack has what it needs: the comparison with neighbours needs places and non-members. */
export function isMeasurable(attack: AttackName, { population }: Evidence): boolean {
  return attack !== 'neighbour-difference' || neighbourPool(population) !== undefined;
}

/**
 * Mean over a user's records of log(p_current / p_initial) of the true class, in nats: how much better the model knows the
 * user's records than the initial model did (user inference of Kandpal et al. 2024, with the initial model as reference).
 */
function meanLogRatio({ population, initial, current }: Evidence): Float64Array {
  return meanByUser(population, (record) => (initial.loss[record] ?? 0) - (current.loss[record] ?? 0));
}

/**
 * Minus the least-squares slope of a user's mean loss over model versions 0, 1, 2, ..., in nats a round (Chang et al.,
 * USENIX Security 2024). After one round it is the mean log-ratio; before the first it is 0 for everybody.
 */
function trajectorySlope({ population, initial, lossHistory }: Evidence): Float64Array {
  const trajectory = [meanByUser(population, (record) => initial.loss[record] ?? 0), ...lossHistory];
  const middle = (trajectory.length - 1) / 2;
  const spread = trajectory.reduce((sum, _, version) => sum + (version - middle) ** 2, 0);
  const score = new Float64Array(population.roles.length);
  if (spread === 0) return score;
  for (const [version, losses] of trajectory.entries()) {
    const weight = (middle - version) / spread;
    losses.forEach((loss, user) => {
      score[user] = (score[user] ?? 0) + weight * loss;
    });
  }
  return score;
}

/** Minus the mean loss of a user's records, in nats (Yeom et al. 2018, for users). */
function lowLoss({ population, current }: Evidence): Float64Array {
  return meanByUser(population, (record) => -(current.loss[record] ?? 0));
}

/** Minus the mean modified entropy of a user's records, calibrated within each class where reference users allow it. */
function lowModifiedEntropy({ population, current }: Evidence): Float64Array {
  const { modifiedEntropy } = current;
  const calibrated = classCalibration(population, modifiedEntropy);
  return meanByUser(
    population,
    (record) => -calibrated(modifiedEntropy[record] ?? 0, population.labels[record] ?? 0),
  );
}

/** Mean margin of a user's records, log(p_y / (1 - p_y)) from logits (the statistic of LiRA, without shadow models). */
function largeMargin({ population, current }: Evidence): Float64Array {
  return meanByUser(population, (record) => current.margin[record] ?? 0);
}

/**
 * Mean log-ratio less its mean over the 30 non-members that stand nearest in the space of features (Rezaei and Liu 2022, with
 * neighbours for the subpopulation): what the model knows of her beyond what it knows of people like her.
 */
function overNeighbours(evidence: Evidence): Float64Array {
  return neighbourDifference(evidence.population, meanLogRatio(evidence));
}
