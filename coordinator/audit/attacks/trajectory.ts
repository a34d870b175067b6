import type { Attack, Scores } from '../attack.ts';
import { type Evidence, meanByUser } from '../evidence.ts';

/** Users' mean signal under model versions 0, 1, 2, ..., and whether more of it is more like a member. */
interface Trajectory {
  /** Shape (numUsers,) each. */
  readonly versions: readonly (Float64Array | Float32Array)[];
  readonly direction: 1 | -1;
}

/**
 * Least-squares slope of the trajectory, in units of the signal a round (FTA, Chang et al., USENIX Security 2024). After one
 * round it is the difference to the initial model.
 */
export const slope = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) => {
    const middle = (trajectory.versions.length - 1) / 2;
    const spread = trajectory.versions.reduce((sum, _, version) => sum + (version - middle) ** 2, 0);
    return weightedSum(trajectory, (version) => (version - middle) / spread);
  });

/** Mean over the finished rounds (the `fed` baselines of the same paper's code). */
export const average = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) =>
    weightedSum(trajectory, (version) => (version === 0 ? 0 : 1 / (trajectory.versions.length - 1))),
  );

/** Newest minus initial version (`back-front-diff`). */
export const lastMinusFirst = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, (trajectory) => {
    const last = trajectory.versions.length - 1;
    return weightedSum(trajectory, (version) => (version === 0 ? -1 : 0) + (version === last ? 1 : 0));
  });

/** The largest step towards the user in one round: minus the minimum per-round difference of the loss (`delta-diff`). */
export const steepestStep = (signal: 'loss' | 'margin'): Attack =>
  ofTrajectory(signal, ({ versions, direction }) => {
    const largest = new Float64Array(versions[0]?.length ?? 0).fill(-Infinity);
    for (const [index, later] of versions.slice(1).entries()) {
      const earlier = versions[index] ?? later;
      for (let user = 0; user < largest.length; user++) {
        const step = direction * ((later[user] ?? 0) - (earlier[user] ?? 0));
        largest[user] = Math.max(largest[user] ?? 0, step);
      }
    }
    return largest;
  });

function ofTrajectory(signal: 'loss' | 'margin', score: (trajectory: Trajectory) => Float64Array): Attack {
  return (evidence): Scores => {
    const trajectory = trajectoryOf(signal, evidence);
    if (trajectory.versions.length < 2) return { notMeasured: 'no round is finished yet' };
    return score(trajectory);
  };
}

function trajectoryOf(signal: 'loss' | 'margin', evidence: Evidence): Trajectory {
  const { population, initial, lossHistory, marginHistory } = evidence;
  const first = meanByUser(population, (record) => initial[signal][record] ?? 0);
  if (signal === 'margin') return { versions: [first, ...marginHistory], direction: 1 };
  return { versions: [first, ...lossHistory], direction: -1 };
}

function weightedSum(
  { versions, direction }: Trajectory,
  weightOf: (version: number) => number,
): Float64Array {
  const sum = new Float64Array(versions[0]?.length ?? 0);
  for (const [version, values] of versions.entries()) {
    const weight = direction * weightOf(version);
    if (weight === 0) continue;
    for (let user = 0; user < sum.length; user++) sum[user] = (sum[user] ?? 0) + weight * (values[user] ?? 0);
  }
  return sum;
}
