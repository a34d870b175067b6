import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpreted } from '../../../shared/privacy/accounting/interpret.ts';
import {
  type BitRelease,
  bitReleaseEvent,
  type DrawnUsers,
  fractionWithin,
  isDivisible,
  jointClipNorm,
  withBits,
} from '../../../shared/privacy/adaptive-clipping.ts';
import { clipUpdate } from '../../../shared/privacy/clip.ts';
import { gridStep, sensitivitySlack, toGrid } from '../../../shared/privacy/grid.ts';
import type { RawUpdate, SummedUpdate } from '../../../shared/privacy/update.ts';
import { ClipNorm, NoiseMultiplier, SamplingRate } from '../../../shared/units.ts';

const q = SamplingRate.parse(0.3);

function releaseOf(clipNorm: number, noiseMultiplier: number, bitStdDev: number): BitRelease {
  return {
    clipNorm: ClipNorm.parse(clipNorm),
    noiseMultiplier: NoiseMultiplier.parse(noiseMultiplier),
    bitStdDev,
  };
}

/** Any division of the noise, from nearly all for the count to nearly none. */
const releases = fc
  .record({
    clipNorm: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
    noiseMultiplier: fc.double({ min: 0.05, max: 20, noNaN: true }),
    share: fc.double({ min: 1e-3, max: 0.999, noNaN: true }),
  })
  .map(({ clipNorm, noiseMultiplier, share }) =>
    releaseOf(clipNorm, noiseMultiplier, noiseMultiplier / (2 * share)),
  );

function drawnOf(norms: readonly number[], change: Partial<Omit<DrawnUsers, 'norms'>> = {}): DrawnUsers {
  return {
    sum: Float64Array.of(0.5, -2) as SummedUpdate,
    users: Int32Array.from(norms, (_, index) => 10 * index),
    norms: Float64Array.from(norms),
    ...change,
  };
}

/** The count's coordinate in units of one user. */
function surplus(drawn: DrawnUsers, release: BitRelease): number {
  return withBits(drawn, release).at(-1)! / bitNorm(release);
}

/** s, from the joint clip norm alone. */
function bitNorm(release: BitRelease): number {
  const joint = jointClipNorm(release);
  return Math.sqrt((joint - release.clipNorm) * (joint + release.clipNorm));
}

describe('how the noise is divided', () => {
  // Andrew et al. 2021 with sigma_b = 0.05 M: z, M and what is left for the update.
  test.each([
    [1, 100, 1.0050378],
    [1, 1000, 1.00005],
    [4, 100, 4.364358],
  ])('z = %d and a cohort of %d leave the update %d', (z, cohort, expected) => {
    const release = releaseOf(0.7, z, 0.05 * cohort);
    const event = bitReleaseEvent(release, q);
    if (event.type !== 'adaptive-clipping') throw new Error('another event');
    expect(event.updateNoiseMultiplier).toBeCloseTo(expected, 6);
    expect(event.quantileNoiseMultiplier).toBe(0.1 * cohort);
    expect(event.samplingRate).toBe(q);
    // The same figure from what is released: noise z * (joint clip norm) over C.
    expect((z * jointClipNorm(release)) / 0.7).toBeCloseTo(expected, 6);
  });

  test('both parts together are charged z, whatever the division', () => {
    fc.assert(
      fc.property(releases, (release) => {
        const z = release.noiseMultiplier;
        const event = bitReleaseEvent(release, q);
        const [mechanism, ...rest] = interpreted([{ event, count: 7 }]);
        expect(rest).toEqual([]);
        expect(mechanism).toMatchObject({ samplingRate: q, count: 7 });
        expect((mechanism as { noiseMultiplier: number }).noiseMultiplier / z).toBeCloseTo(1, 12);
        const joint = jointClipNorm(release);
        const [updateZ, countZ] = [(z * joint) / release.clipNorm, (z * joint) / bitNorm(release)];
        expect((updateZ ** -2 + countZ ** -2) * z * z).toBeCloseTo(1, 9);
        // Twice sigma_b, since a centred bit has sensitivity one half.
        expect(countZ / (2 * release.bitStdDev)).toBeCloseTo(1, 6);
      }),
    );
  });

  test('more noise on the count leaves less for it to take away', () => {
    fc.assert(
      fc.property(releases, fc.double({ min: 1.01, max: 50, noNaN: true }), (release, factor) => {
        const quieter = { ...release, bitStdDev: release.bitStdDev * factor };
        expect(jointClipNorm(quieter)).toBeLessThan(jointClipNorm(release));
        expect(jointClipNorm(quieter)).toBeGreaterThanOrEqual(release.clipNorm);
      }),
    );
  });

  test('is impossible from z = 2 sigma_b on', () => {
    const divisible = (z: number, bitStdDev: number): boolean => isDivisible(releaseOf(1, z, bitStdDev));
    expect(divisible(2, 1)).toBe(false);
    expect(divisible(4, 1.9)).toBe(false);
    expect(divisible(2, 1 + 2 ** -52)).toBe(true);
    expect(jointClipNorm(releaseOf(1, 2, 1 + 2 ** -52))).toBeGreaterThan(1e7);
  });
});

describe('the count in the release', () => {
  const release = releaseOf(0.5, 1.5, 3);

  test('is one more coordinate, and leaves the sum as it is', () => {
    const joined = withBits(drawnOf([0.2, 0.7, 0.4]), release);
    expect([...joined.subarray(0, 2)]).toEqual([0.5, -2]);
    expect(joined).toHaveLength(3);
    expect(joined[2]).toBeCloseTo(bitNorm(release), 12);
  });

  test.each<[string, readonly number[], number]>([
    ['all below', [0.1, 0.2, 0.3, 0.4], 4],
    ['all above', [0.6, 0.7, 5e9, 1e30], -4],
    ['exactly at C, which counts as within', [0.5, 0.5], 2],
    ['half and half', [0.4, 0.6], 0],
    ['nobody drawn', [], 0],
    // Training replaces an update that is not finite by zero and reports the norm of zero.
    ['an update that was not finite, which counts as within', [0], 1],
  ])('%s', (_what, norms, expected) => {
    expect(surplus(drawnOf(norms), release)).toBeCloseTo(expected, 12);
  });

  test('an empty draw adds nothing at all, not even a sign', () => {
    expect(withBits(drawnOf([]), release).at(-1)).toBe(0);
  });

  test('canaries are left out, wherever they stand and whatever their norm', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), { maxLength: 12 }),
        (people) => {
          const canaries = new Set(people.flatMap(([, isCanary], index) => (isCanary ? [10 * index] : [])));
          const real = people.filter(([, isCanary]) => !isCanary).map(([norm]) => norm);
          const all = drawnOf(
            people.map(([norm]) => norm),
            { canaries },
          );
          expect(surplus(all, release)).toBeCloseTo(surplus(drawnOf(real), release), 9);
        },
      ),
    );
  });

  test("a user's bit weighs what her update weighs", () => {
    const weights = new Float64Array(21).fill(0.125);
    weights.set([0.5], 0);
    weights.set([1], 10);
    weights.set([0.25], 20);
    expect(surplus(drawnOf([0.1, 0.9, 0.2], { weights }), release)).toBeCloseTo(-0.25, 12);
  });

  test('tells the fraction of the users, and nothing outside 0 and 1', () => {
    fc.assert(
      fc.property(
        releases,
        fc.array(fc.double({ min: 0, max: 2000, noNaN: true }), { minLength: 1, maxLength: 40 }),
        (any, norms) => {
          const sum = withBits(drawnOf(norms), any).at(-1)!;
          const within = norms.filter((norm) => norm <= any.clipNorm).length / norms.length;
          expect(fractionWithin(sum / norms.length, any)).toBeCloseTo(within, 9);
          expect(fractionWithin(1e9 * bitNorm(any), any)).toBe(1);
          expect(fractionWithin(-1e9 * bitNorm(any), any)).toBe(0);
          expect(fractionWithin(0, any)).toBe(0.5);
        },
      ),
    );
  });
});

describe('one user', () => {
  const numParams = 5;
  const values = fc.array(fc.double({ min: -30, max: 30, noNaN: true }), {
    minLength: numParams,
    maxLength: numParams,
  });
  const person = fc.record({
    update: fc.oneof(values, fc.constantFrom<number[]>([NaN, 0, 0, 0, 0], [0, 0, 0, 0, 0])),
    weight: fc.constantFrom(1, 1, 0.5, 1 / 3),
    isCanary: fc.boolean(),
  });
  type Person = { update: number[]; weight: number; isCanary: boolean };

  /** The release of these people on the grid, before the noise. */
  function onGrid(people: readonly Person[], release: BitRelease): Float64Array {
    const sum = new Float64Array(numParams);
    const norms = people.map(({ update, weight }) => {
      const clipped = clipUpdate(Float32Array.from(update) as RawUpdate, release.clipNorm);
      clipped.update.forEach((value, index) => {
        sum[index]! += weight * value;
      });
      return clipped.norm;
    });
    const drawn = drawnOf(norms, {
      sum: sum as SummedUpdate,
      weights: Float64Array.from({ length: 10 * people.length }, (_, user) => people[user / 10]?.weight ?? 1),
      canaries: new Set(people.flatMap(({ isCanary }, index) => (isCanary ? [10 * index] : []))),
    });
    return toGrid(withBits(drawn, release), gridStep(jointClipNorm(release), numParams + 1));
  }

  test('changes the release by at most the joint clip norm and its slack', () => {
    fc.assert(
      fc.property(
        fc.array(person, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        releases,
        (people, at, release) => {
          const removed = people.toSpliced(at % people.length, 1);
          const [before, after] = [onGrid(people, release), onGrid(removed, release)];
          const distance = Math.hypot(...before.map((value, index) => value - after[index]!));
          const joint = jointClipNorm(release);
          const allowed = (joint * (1 + sensitivitySlack(numParams + 1))) / gridStep(joint, numParams + 1);
          expect(distance).toBeLessThanOrEqual(allowed);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('at the clip norm reaches that bound: the noise is not more than is needed', () => {
    fc.assert(
      fc.property(releases, (release) => {
        const alone = onGrid([{ update: [1e4, 0, 0, 0, 0], weight: 1, isCanary: false }], release);
        const norm = Math.hypot(...alone) * gridStep(jointClipNorm(release), numParams + 1);
        expect(norm / jointClipNorm(release)).toBeCloseTo(1, 4);
      }),
    );
  });
});
