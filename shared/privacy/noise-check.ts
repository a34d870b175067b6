import { ParleyError } from '../errors.ts';
import type { ClipNorm, NoiseMultiplier } from '../units.ts';
import { gridStep, sensitivitySlack } from './grid.ts';
import { gridStdDev, type NoiseVector } from './noise.ts';

/**
 * Does a release look like what the plan promises? Looks at the release and at public numbers only, so the answer is
 * post-processing and costs nothing. docs/noise.md proves the bounds and says what they cannot see.
 */

/** What was tested on neighbouring tensors together; standard deviations are root mean squares in grid units. */
export interface NoiseTest {
  /** Indices of the first and the last tensor of the group. */
  readonly firstTensor: number;
  readonly lastTensor: number;
  /** How many numbers the group holds. */
  readonly size: number;
  readonly expected: number;
  /** Of the numbers of the group; Infinity where one of them is at the end of int32, which no missing noise explains. */
  readonly found: number;
  /** Bounds for `found`; `atMost` is Infinity where the users' updates are in it. */
  readonly atLeast: number;
  readonly atMost: number;
}

/** What is public about a release. */
export interface ExpectedRelease {
  readonly clipNorm: ClipNorm;
  readonly noiseMultiplier: NoiseMultiplier;
  /** Most users who can have been drawn: those that the site declared. */
  readonly maxDrawnUsers: number;
  /** Sizes of the tensors, in order; together the length of the update. */
  readonly tensors: readonly number[];
}

/** What a coordinator tested on arrival; norms are L2 norms in grid units. */
export interface ReleaseCheck {
  readonly tests: readonly NoiseTest[];
  readonly norm: number;
  readonly maxNorm: number;
}

/**
 * Site: refuse noise that cannot have been drawn for its promised standard deviation, in either direction, for each tensor
 * and for all together; before it is added to anything. Sound noise fails with probability below 1e-12. Tensors of fewer
 * than 32 numbers are tested together with their neighbours. `factor` is the standard deviation of a correlated round's noise
 * over that of an independent one. Returns what was tested.
 * Throws NOISE_IMPLAUSIBLE; RangeError when the tensors' sizes don't add up to the noise's length.
 */
export function assertNoiseDrawn(
  noise: NoiseVector,
  tensors: readonly number[],
  factor = 1,
): readonly NoiseTest[] {
  const groups = groupsOf(tensors, noise.length);
  const stdDev = gridStdDev(noise, noise.length) * factor;
  const exponent = exponentFor(2 * groups.length);
  const tests = groups.map((group) => {
    const found = rootMeanSquare(noise.subarray(group.start, group.start + group.size));
    return { ...testOf(group, stdDev, exponent), found };
  });
  tests.forEach(assertPassed);
  return tests;
}

/**
 * Coordinator: refuse a release that holds too little noise for any data that the site may have, tensor by tensor and as a
 * whole, or whose norm is beyond what `maxDrawnUsers` users and the noise can reach. A sound release fails with probability
 * below 1e-12. Tensors of fewer than 32 numbers are tested together with their neighbours. Missing noise is noticed for
 * certain only where the users' updates are weak beside it: a sum of more than about z sqrt(d) aligned users hides it.
 * Throws NOISE_IMPLAUSIBLE; RangeError when the tensors' sizes don't add up to the update's length.
 */
export function checkRelease(update: Int32Array, expected: ExpectedRelease): ReleaseCheck {
  const groups = groupsOf(expected.tensors, update.length);
  const stdDev = gridStdDev(expected, update.length);
  const exponent = exponentFor(groups.length + 1);
  const looks = looksAt(update, groups);
  const tests = groups.map((group, index) => {
    const { squares, isSaturated } = looks[index] ?? nothing;
    const found = isSaturated ? Infinity : Math.sqrt(squares / group.size);
    return { ...testOf(group, stdDev, exponent), found, atMost: Infinity };
  });
  tests.forEach(assertPassed);
  const norm = Math.sqrt(looks.at(-1)?.squares ?? Infinity);
  const maxNorm = largestNorm(update.length, expected, exponent);
  if (norm <= maxNorm) return { tests, norm, maxNorm };
  throw new ParleyError(
    'NOISE_IMPLAUSIBLE',
    `the release has norm ${norm.toPrecision(4)} grid units; with noise multiplier ${expected.noiseMultiplier} and at most ` +
      `${expected.maxDrawnUsers} users within the clip norm it stays below ${maxNorm.toPrecision(4)}. Don't add it to the sum; ` +
      `ask the site whether its clipping works and how many users it has`,
  );
}

interface Group {
  readonly firstTensor: number;
  readonly lastTensor: number;
  readonly start: number;
  readonly size: number;
}

/** So many numbers show that noise is missing, or a fifth of what was promised; half of it takes about 200. */
const smallestGroup = 32;

/** Half of the promised 1e-12; the other half is for float64 arithmetic and the sampler's distance from the ideal law. */
const falseAlarmProbability = 5e-13;

/** Neighbouring tensors joined until a group is large enough, the rest joined to the last group, and all of them together. */
function groupsOf(tensors: readonly number[], length: number): Group[] {
  const groups: Group[] = [];
  const all = { firstTensor: 0, lastTensor: tensors.length - 1, start: 0, size: 0 };
  let open = all;
  for (const [tensor, size] of tensors.entries()) {
    open = { ...open, lastTensor: tensor, size: open.size + size };
    all.size += size;
    if (open.size < smallestGroup) continue;
    groups.push(open);
    open = { firstTensor: tensor + 1, lastTensor: tensor + 1, start: open.start + open.size, size: 0 };
  }
  if (all.size !== length)
    throw new RangeError(`tensors of ${all.size} numbers together cannot divide a vector of ${length}`);
  if (groups.length < 2) return [all];
  const last = groups.pop() ?? all;
  return [...groups, { ...last, lastTensor: all.lastTensor, size: length - last.start }, all];
}

/** tau = ln(tests / probability), so that all one-sided tests together fail with no more than the probability. */
function exponentFor(numTests: number): number {
  return Math.log(numTests / falseAlarmProbability);
}

/** The bounds allow half a grid unit in root mean square for rounding. */
function testOf(group: Group, stdDev: number, exponent: number): Omit<NoiseTest, 'found'> {
  const { low, high } = meanSquareBounds(group.size, exponent);
  const { firstTensor, lastTensor, size } = group;
  const atLeast = Math.max(0, stdDev * Math.sqrt(low) - 0.5);
  return { firstTensor, lastTensor, size, expected: stdDev, atLeast, atMost: stdDev * Math.sqrt(high) + 0.5 };
}

/**
 * Bounds for the mean square of `count` standard normal numbers, each crossed with probability at most exp(-tau): the roots of
 * x - 1 - ln x = 2 tau / count (Chernoff; Laurent and Massart 2000, Lemma 1, relax these to 1 - 2 sqrt(tau / count) and
 * 1 + 2 sqrt(tau / count) + 2 tau / count). Newton's steps start outside the roots and, the function being convex, stay there.
 */
export function meanSquareBounds(count: number, exponent: number): { low: number; high: number } {
  const level = (2 * exponent) / count;
  let low = Math.max(Math.exp(-1 - level), 1 - Math.sqrt(2 * level));
  let high = 1 + Math.sqrt(2 * level) + level;
  for (let step = 0; step < 10; step++) {
    low += (low * (low - 1 - Math.log(low) - level)) / (1 - low);
    high -= (high * (high - 1 - Math.log(high) - level)) / (high - 1);
  }
  return { low, high };
}

/** Every drawn user adds C at most, rounding the sum sqrt(d) / 2, and saturation only takes away. */
function largestNorm(numParams: number, expected: ExpectedRelease, exponent: number): number {
  const { clipNorm, maxDrawnUsers } = expected;
  const perUser = (clipNorm / gridStep(clipNorm, numParams)) * (1 + sensitivitySlack(numParams));
  const noise = gridStdDev(expected, numParams) * Math.sqrt(meanSquareBounds(numParams, exponent).high);
  return maxDrawnUsers * perUser + (noise + 1) * Math.sqrt(numParams);
}

function rootMeanSquare(values: Float64Array): number {
  let sumOfSquares = 0;
  for (let i = 0; i < values.length; i++) sumOfSquares += (values[i] ?? 0) ** 2;
  return Math.sqrt(sumOfSquares / values.length);
}

interface Look {
  readonly squares: number;
  /** Some number is at an end of int32. */
  readonly isSaturated: boolean;
}
const nothing: Look = { squares: 0, isSaturated: false };

/** Of every group; the last one is of all numbers together and is added up from the others, where there are others. */
function looksAt(update: Int32Array, groups: readonly Group[]): Look[] {
  const parts = groups.length > 1 ? groups.slice(0, -1) : groups;
  const looks = parts.map(({ start, size }) => lookAt(update.subarray(start, start + size)));
  if (parts === groups) return looks;
  const all = looks.reduce(
    (sum, look) => ({
      squares: sum.squares + look.squares,
      isSaturated: sum.isSaturated || look.isSaturated,
    }),
    nothing,
  );
  return [...looks, all];
}

/** In blocks, since a look for the ends of int32 takes as long as the squares, and squares that are small rule them out. */
function lookAt(values: Int32Array): Look {
  let squares = 0;
  let isSaturated = false;
  for (let start = 0; start < values.length; start += blockSize) {
    const block = values.subarray(start, start + blockSize);
    const found = sumOfSquares(block);
    squares += found;
    if (found >= leastSaturated) isSaturated ||= block.some((value) => value === largest || value < -largest);
  }
  return { squares, isSaturated };
}

const blockSize = 4096;
const largest = 0x7fff_ffff;

/** Below the square of either end of int32, with room for the rounding of a block's sum. */
const leastSaturated = 0.999 * largest ** 2;

/** Four at a time, whose sums need not wait for each other: this is much of what an arrival costs. */
function sumOfSquares(values: Int32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += squareAt(values, i);
    b += squareAt(values, i + 1);
    c += squareAt(values, i + 2);
    d += squareAt(values, i + 3);
  }
  for (let i = whole; i < values.length; i++) a += squareAt(values, i);
  return a + b + c + d;
}

function squareAt(values: Int32Array, index: number): number {
  const value = values[index] ?? 0;
  return value * value;
}

/** Written so that NaN fails, and a clip norm so far beyond float64 that no noise can be had for it. */
function assertPassed({ firstTensor, lastTensor, size, expected, found, atLeast, atMost }: NoiseTest): void {
  if (Number.isFinite(expected) && found >= atLeast && found <= atMost) return;
  const tensors =
    firstTensor === lastTensor ? `tensor ${firstTensor}` : `tensors ${firstTensor} to ${lastTensor}`;
  throw new ParleyError(
    'NOISE_IMPLAUSIBLE',
    `${tensors} (${size} numbers): noise of standard deviation ${expected.toPrecision(4)} grid units is promised, which leaves ` +
      `${atLeast.toPrecision(4)} to ${atMost.toPrecision(4)} plausible; ${found.toPrecision(4)} was found. This release must ` +
      `neither be sent nor used; stop the site until its fault is found`,
  );
}
