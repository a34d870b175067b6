import { createHash } from 'node:crypto';
import { ParleyError } from '../errors.ts';
import type { BandedNoise, BandedRun } from './banded-noise.ts';
import { participationKeyBytes } from './participation-groups.ts';

/**
 * The state of correlated noise as bytes, little-endian: tag, hash of matrix and noise multiplier (32), numParams, nextRow and number of rows
 * (uint32 each), participation key (32), rows (float64), SHA-256 of all before it (32).
 */

const tag = new TextEncoder().encode('parley/2 banded noise\n');
const hashBytes = 32;
const countsAt = tag.length + hashBytes;
const keyAt = countsAt + 12;
const rowsAt = keyAt + participationKeyBytes;

/** The state as bytes, for the ledger alone: they are as secret as the data. */
export function encodeState(noise: BandedNoise): Uint8Array {
  const { numParams, nextRow, ...state } = noise;
  const bytes = new Uint8Array(rowsAt + 8 * numParams * state.rows.length + hashBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(tag);
  bytes.set(runHash(noise), tag.length);
  for (const [index, count] of [numParams, nextRow, state.rows.length].entries())
    view.setUint32(countsAt + 4 * index, count, true);
  bytes.set(state.participationKey, keyAt);
  for (const [index, row] of state.rows.entries())
    for (const [column, value] of row.entries())
      view.setFloat64(rowsAt + 8 * (index * numParams + column), value, true);
  const body = bytes.subarray(0, -hashBytes);
  bytes.set(sha256(body), body.length);
  return bytes;
}

/**
 * The state that the ledger kept, for a plan's matrix, noise multiplier and number of parameters.
 *
 * @throws LEDGER_CORRUPT when the bytes are no such state or damaged; EQUIVOCATION when they are of another matrix, noise
 * multiplier or number of parameters: these may not change within a run.
 */
export function decodeState(bytes: Uint8Array, run: BandedRun): BandedNoise {
  const { numParams } = run;
  assertIntact(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = (index: number): number => view.getUint32(countsAt + 4 * index, true);
  const [length, nextRow, numRows] = [count(0), count(1), count(2)];
  if (!isSame(bytes.subarray(tag.length, countsAt), runHash(run)) || length !== numParams)
    throw new ParleyError(
      'EQUIVOCATION',
      'the plan has another banded matrix, noise multiplier or number of parameters than the earlier rounds of this run, whose ' +
        'noise goes on in this one and whose first release paid for it; all are fixed over a run',
    );
  const rows = Array.from({ length: numRows }, (_, index) =>
    Float64Array.from({ length: numParams }, (_value, column) =>
      view.getFloat64(rowsAt + 8 * (index * numParams + column), true),
    ),
  );
  return { ...run, nextRow, rows, participationKey: bytes.slice(keyAt, rowsAt) };
}

/** The checksum covers all else, so a state that has it was written by this code. */
function assertIntact(bytes: Uint8Array): void {
  const body = bytes.subarray(0, Math.max(0, bytes.length - hashBytes));
  const whole = body.length >= rowsAt && isSame(sha256(body), bytes.subarray(body.length));
  if (!whole || !isSame(bytes.subarray(0, tag.length), tag))
    throw new ParleyError(
      'LEDGER_CORRUPT',
      'the state of correlated noise in the ledger is damaged or of another version: without it this run cannot be continued; ' +
        'restore the newest ledger, or take no further part in the run',
    );
}

function runHash({ matrix, noiseMultiplier }: BandedRun): Uint8Array {
  const { coefficients, rounds, minSeparation, maxParticipations } = matrix;
  return sha256(JSON.stringify([coefficients, rounds, minSeparation, maxParticipations, noiseMultiplier]));
}

function sha256(content: Uint8Array | string): Uint8Array {
  return createHash('sha256').update(content).digest();
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
