import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canaryEstimate, twoGaussianEpsilon } from '../../../../coordinator/audit/epsilon/canary-estimate.ts';
import { gaussianEpsilonBounds } from '../../../../shared/privacy/accounting/gaussian-accountant.ts';
import { standardNormals } from '../../../../shared/random/gaussian.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';
import vectors from '../../../vectors/epsilon-bounds.json' with { type: 'json' };

const rng = seededRng(Seed.parse(5));
const options = { delta: 1e-5, confidence: 0.95 };

const law = fc.record({
  mean: fc.double({ min: -3, max: 3, noNaN: true }),
  stdDev: fc.double({ min: 0.5, max: 2, noNaN: true }),
});
const delta = fc.constantFrom(1e-8, 1e-5, 1e-2, 0.3);
const relative = (value: number, reference: number): number =>
  Math.abs(value - reference) / Math.max(1e-3, Math.abs(reference));

describe('twoGaussianEpsilon', () => {
  test.each(vectors.twoGaussian)(
    'is $epsilon for $a and $b at delta $delta (quadrature by mpmath)',
    ({ a, b, delta: at, epsilon }) => {
      expect(relative(twoGaussianEpsilon(a, b, at), epsilon)).toBeLessThan(1e-8);
    },
  );

  // algorithms of the design, section E4, to the digits given there.
  test.each(
    [4.377178, 4.886554, 9.997256, 8.817622, 11.66636, 14.126371].map((epsilon, i) => [i, epsilon] as const),
  )('in case %d is %d', (index, published) => {
    const { a, b, delta: at } = vectors.twoGaussian[index]!;
    expect(relative(twoGaussianEpsilon(a, b, at), published)).toBeLessThan(1e-6);
  });

  test('with equal standard deviations is the analytic Gaussian mechanism', () => {
    fc.assert(
      fc.property(law, fc.double({ min: 0, max: 4, noNaN: true }), delta, (a, shift, at) => {
        const b = { mean: a.mean + shift * a.stdDev, stdDev: a.stdDev };
        expect(relative(twoGaussianEpsilon(a, b, at), gaussianEpsilonBounds(shift, at).upper)).toBeLessThan(
          1e-9,
        );
        // A hair beside it, by the other formula.
        const beside = twoGaussianEpsilon(a, { ...b, stdDev: a.stdDev * (1 + 1e-9) }, at);
        const { upper } = gaussianEpsilonBounds(shift, at);
        expect(Math.abs(beside - upper)).toBeLessThan(1e-6 * (1 + upper));
      }),
    );
  });

  test('depends on neither order, nor shift, nor unit, nor sign', () => {
    const number = fc.double({ min: 0.01, max: 100, noNaN: true });
    fc.assert(
      fc.property(law, law, number, delta, (a, b, unit, at) => {
        const epsilon = twoGaussianEpsilon(a, b, at);
        const moved = (sign: number) => (one: typeof a) => ({
          mean: sign * unit * one.mean + unit,
          stdDev: unit * one.stdDev,
        });
        expect(twoGaussianEpsilon(b, a, at)).toBe(epsilon);
        for (const sign of [1, -1])
          expect(relative(twoGaussianEpsilon(moved(sign)(a), moved(sign)(b), at), epsilon)).toBeLessThan(
            1e-7,
          );
      }),
    );
  });

  test('falls with delta, is 0 for equal laws and finite however far apart they are', () => {
    fc.assert(
      fc.property(law, law, (a, b) => {
        const [small = 0, middle = 0, large = 0] = [1e-8, 1e-5, 0.1].map((at) =>
          twoGaussianEpsilon(a, b, at),
        );
        expect(small).toBeGreaterThanOrEqual(middle);
        expect(middle).toBeGreaterThanOrEqual(large);
        expect(twoGaussianEpsilon(a, a, 1e-9)).toBe(0);
      }),
    );
    const far = twoGaussianEpsilon({ mean: 0, stdDev: 1 }, { mean: 60, stdDev: 1.5 }, 1e-5);
    expect(far).toBeGreaterThan(700);
    expect(far).toBeLessThan(1e5);
  });

  test('refuses what is no law and no delta', () => {
    const standard = { mean: 0, stdDev: 1 };
    for (const wrong of [
      { mean: 0, stdDev: 0 },
      { mean: Number.NaN, stdDev: 1 },
      { mean: 0, stdDev: Infinity },
    ])
      expect(() => twoGaussianEpsilon(standard, wrong, 1e-5)).toThrow(RangeError);
    for (const wrong of [0, 1, Number.NaN])
      expect(() => twoGaussianEpsilon(standard, standard, wrong)).toThrow(RangeError);
  });
});

describe('canaryEstimate', () => {
  const heldOut = standardNormals(rng.fork('held out'), 400);

  test('turns the mean of the members, and it give or take 1.96 / sqrt(members), into epsilons', () => {
    // Balle and Wang (B4): separation 1 at delta 1e-5 is 4.377178, 1 / 2 is 1.993091, 2 is 9.997256.
    const estimate = (count: number, mu: number): ReturnType<typeof canaryEstimate> =>
      canaryEstimate(
        { members: new Float64Array(count).fill(mu), heldOut },
        // P[|Z| <= 2]: the interval reaches 2 / sqrt(members).
        { delta: 1e-5, confidence: 0.9544997361036416 },
      );
    const four = estimate(4, 1);
    expect(four.mu).toBe(1);
    expect(four.epsilon).toBeCloseTo(4.377178, 5);
    expect(four.low).toBe(0);
    expect(four.high).toBeCloseTo(9.997256, 4);
    expect(estimate(16, 1).low).toBeCloseTo(1.993091, 5);
  });

  test('has an ordered interval, and makes a negative mean an epsilon of 0', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1, max: 5, noNaN: true }),
        fc.integer({ min: 1, max: 300 }),
        (mu, count) => {
          const { epsilon, low, high } = canaryEstimate(
            {
              members: standardNormals(rng.fork(`members ${count}`), count).map((value) => value + mu),
              heldOut,
            },
            options,
          );
          expect(0 <= low && low <= epsilon && epsilon <= high).toBe(true);
        },
      ),
    );
    const negative = canaryEstimate({ members: new Float64Array(100).fill(-1), heldOut }, options);
    expect(negative).toMatchObject({ epsilon: 0, low: 0, high: 0, mu: -1 });
  });

  test('describes the held-out canaries', () => {
    // scipy 1.17: mean .5, 2 norm.sf(1) = .31731; variance 5/3 of 4, chi2.sf(5, 3) = .17180, two-sided .34359.
    const estimate = canaryEstimate(
      { members: Float64Array.of(1), heldOut: Float64Array.of(-1, 0, 1, 2) },
      options,
    );
    expect(estimate.nullMean).toBe(0.5);
    expect(estimate.nullStdDev).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(estimate.nullPValue).toBeCloseTo(2 * 0.31731050786291415, 12);
  });

  test.each([
    ['a mean that is not 0', (value: number) => value + 0.3],
    ['too much spread', (value: number) => 1.3 * value],
    ['too little spread', (value: number) => 0.75 * value],
  ])('notices %s', (_, broken) => {
    const members = Float64Array.of(1, 2);
    expect(canaryEstimate({ members, heldOut }, options).nullPValue).toBeGreaterThan(0.01);
    expect(canaryEstimate({ members, heldOut: heldOut.map(broken) }, options).nullPValue).toBeLessThan(1e-3);
  });

  test('refuses too few canaries and projections that are no numbers', () => {
    const refused = (members: number[], others: number[], code: string): void => {
      expect(() =>
        canaryEstimate({ members: Float64Array.from(members), heldOut: Float64Array.from(others) }, options),
      ).toThrow(expect.objectContaining({ code }));
    };
    refused([], [0, 1], 'DATA_EMPTY');
    refused([1], [0], 'DATA_EMPTY');
    refused([Number.NaN], [0, 1], 'NON_FINITE');
    refused([1], [0, Infinity], 'NON_FINITE');
    expect(() =>
      canaryEstimate({ members: Float64Array.of(1), heldOut }, { delta: 0, confidence: 0.95 }),
    ).toThrow(RangeError);
  });
});
