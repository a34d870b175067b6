import type { Attack, Scores } from '../attack.ts';
import { type Evidence, meanByUser } from '../evidence.ts';

/** A user's mean signal under model versions 0, 1, 2, ..., shape (numUsers,) each, oriented: minus the loss, or the margin. */
type Trajectory = readonly (Float64Array | Float32Array)[];

/**
 * Least-squares slope of the trajectory, in units of the signal a round (FTA, Chang et al., USENIX Security 2024). After one
 * round it is the difference to the initial model.
 */
export const slope = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) => {
    const middle = (trajectory.length - 1) / 2;
    const spread = trajectory.reduce((sum, _, version) => sum + (version - middle) ** 2, 0);
    return weightedSum(
      trajectory,
      trajectory.map((_, version) => (version - middle) / spread),
    );
  });

/** Mean over the finished rounds (the `fed` baselines of the same paper's code). */
export const average = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) =>
    weightedSum(
      trajectory,
      trajectory.map((_, version) => (version === 0 ? 0 : 1 / (trajectory.length - 1))),
    ),
  );

/** Newest minus initial version (`back-front-diff`). */
export const lastMinusFirst = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) =>
    weightedSum(
      trajectory,
      trajectory.map((_, version) => (version === 0 ? -1 : 0) + (version === trajectory.length - 1 ? 1 : 0)),
    ),
  );

/** The largest step towards the user in one round: minus the minimum per-round difference of the loss (`delta-diff`). */
export const steepestStep = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) => {
    const largest = new Float64Array(trajectory[0]?.length ?? 0).fill(-Infinity);
    for (const [index, later] of trajectory.slice(1).entries())
      later.forEach((value, user) => {
        largest[user] = Math.max(largest[user] ?? 0, value - (trajectory[index]?.[user] ?? 0));
      });
    return largest;
  });

function ofTrajectory(signal: 'loss' | 'margin', score: (trajectory: Trajectory) => Float64Array): Attack {
  return (evidence): Scores => {
    const trajectory = trajectoryOf(signal, evidence);
    if (trajectory.length < 2) return { notMeasured: 'no round is finished yet' };
    return score(trajectory);
  };
}

function trajectoryOf(signal: 'loss' | 'margin', evidence: Evidence): Trajectory {
  const { population, initial, lossHistory, marginHistory } = evidence;
  const first = meanByUser(population, (record) => initial[signal][record] ?? 0);
  if (signal === 'margin') return [first, ...marginHistory];
  return [first, ...lossHistory].map((losses) => losses.map((loss) => -loss));
}

function weightedSum(trajectory: Trajectory, weights: readonly number[]): Float64Array {
  const sum = new Float64Array(trajectory[0]?.length ?? 0);
  for (const [version, values] of trajectory.entries())
    values.forEach((value, user) => {
      sum[user] = (sum[user] ?? 0) + (weights[version] ?? 0) * value;
    });
  return sum;
}
