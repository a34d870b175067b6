import { ParleyError } from '../errors.ts';
import { standardNormals } from '../random/gaussian.ts';
import type { Rng } from '../random/rng.ts';
import type { NoiseMultiplier } from '../units.ts';
import type { BandedMatrix } from './banded-matrix.ts';
import { gridStdDev, type NoiseOptions, type NoiseVector } from './noise.ts';
import { participationKeyBytes } from './participation-groups.ts';

/**
 * One site's correlated noise in one run, between two rounds. Row t of the noise is X_t = (Z_t - c_1 X_(t-1) - ... -
 * c_(b-1) X_(t-b+1)) / c_0 with Z_t independent and standard normal: row t of C^-1 Z. Whoever knows it can subtract the
 * noise of the last b - 1 releases, so it is as secret as the data.
 */
export interface BandedNoise {
  readonly matrix: BandedMatrix;
  /** The first release's pays for all rounds, so that the others must not have a smaller one. */
  readonly noiseMultiplier: NoiseMultiplier;
  readonly numParams: number;
  /** Index of the row that comes next; rows of rounds that the site sat out have been passed too. 0: nothing was released. */
  readonly nextRow: number;
  /** The min(nextRow, b - 1) rows before the next one, newest first, each shape (numParams,), of standard deviation about 1. */
  readonly rows: readonly Float64Array[];
  /** Assigns users to groups for the whole run (`usersOfRound`); shape (32,). */
  readonly participationKey: Uint8Array;
}

/** What is fixed over a run. */
export type BandedRun = Pick<BandedNoise, 'matrix' | 'noiseMultiplier' | 'numParams'>;

/** The noise of a run that this site has released nothing of. */
export function newBandedNoise(run: BandedRun, rng: Rng): BandedNoise {
  const participationKey = rng.fork('participation').bytes(participationKeyBytes);
  return { ...run, nextRow: 0, rows: [], participationKey };
}

/**
 * Row `round` of the noise, shape (numParams,), for one release, and the state to commit together with that release. Rows
 * of rounds that the site sat out are drawn on the way. A seeded `rng` has to be the same in every round of the run: each row
 * has a fork of its own, so that a repeated simulation repeats. Draw it before the data are touched.
 *
 * @throws POLICY_REFUSED when the row has been passed, since no row is handed out twice, and for a round that the matrix does
 * not have; NON_FINITE when the matrix is so ill-scaled that its noise overflows.
 */
export function advance(
  state: BandedNoise,
  rng: Rng,
  round: number,
): { readonly row: Float64Array; readonly state: BandedNoise } {
  assertAhead(state, round);
  const { matrix, numParams } = state;
  let { rows } = state;
  for (let next = state.nextRow; next <= round; next++) {
    const row = correlated(standardNormals(rng.fork(`row ${next}`), numParams), rows, matrix);
    rows = [row, ...rows].slice(0, Math.max(1, matrix.coefficients.length - 1));
  }
  const [row = new Float64Array(0)] = rows;
  const kept = rows.slice(0, matrix.coefficients.length - 1);
  return { row, state: { ...state, nextRow: round + 1, rows: kept } };
}

/**
 * Noise for one release from a row: rounded to the grid, with standard deviation z * C * (1 + slack) / g times that of the
 * row. With a clip norm that changes between rounds the promise stays, since each release is one of C = 1 times C.
 */
export function bandedNoiseVector(
  row: Float64Array,
  { clipNorm, noiseMultiplier }: NoiseOptions,
): NoiseVector {
  const stdDev = gridStdDev({ clipNorm, noiseMultiplier }, row.length);
  const values = row.map((value) => Math.round(value * stdDev));
  return Object.assign(values, { clipNorm, noiseMultiplier, sampler: 'rounded-gaussian' }) as NoiseVector;
}

function assertAhead({ nextRow, matrix }: BandedNoise, round: number): void {
  if (round < nextRow)
    throw new ParleyError(
      'POLICY_REFUSED',
      `round ${round} comes after round ${nextRow - 1}, whose correlated noise builds on that of earlier ones: rounds of a ` +
        'banded matrix are released in order, each at most once',
    );
  if (round >= matrix.rounds)
    throw new ParleyError(
      'POLICY_REFUSED',
      `round ${round} is beyond the ${matrix.rounds} rounds of the banded matrix, which are all that was paid for`,
    );
}

/** (Z - sum over j of c_j X_(t-j)) / c_0, in the array of Z. */
function correlated(
  row: Float64Array,
  before: readonly Float64Array[],
  { coefficients }: BandedMatrix,
): Float64Array {
  const [diagonal = 1, ...others] = coefficients;
  for (const [lag, earlier] of before.entries()) {
    const coefficient = others[lag] ?? 0;
    if (coefficient === 0) continue;
    earlier.forEach((value, index) => {
      row[index] = (row[index] ?? 0) - coefficient * value;
    });
  }
  for (const [index, value] of row.entries()) {
    const scaled = value / diagonal;
    if (!Number.isFinite(scaled))
      throw new ParleyError(
        'NON_FINITE',
        `coordinate ${index} of correlated noise overflows: c_0 is ${diagonal}`,
      );
    row[index] = scaled;
  }
  return row;
}
