import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  betaQuantile,
  erf,
  erfc,
  logGamma,
  normalCdf,
  normalQuantile,
  regularisedBeta,
  regularisedGamma,
} from '../../../shared/stats/special.ts';
import vectors from '../../vectors/epsilon-bounds.json' with { type: 'json' };

/** Relative difference, absolute for a reference of 0. */
const difference = (value: number, reference: number): number =>
  Math.abs(value - reference) / (reference === 0 ? 1 : Math.abs(reference));

// mpmath 1.3, mp.dps = 40: loggamma(x)
test.each([
  [1e-5, 11.5129196928958257],
  [0.1, 2.25271265173420596],
  [0.5, 0.572364942924700087],
  [1.5, -0.120782237635245222],
  [2.5, 0.28468287047291916],
  [10, 12.8018274800814696],
  [100.5, 361.435540467777622],
  [12345.678, 103959.919905546061],
  [1e8, 1742068066.10383471],
])('logGamma(%d) = %d', (x, expected) => {
  expect(difference(logGamma(x), expected)).toBeLessThan(1e-13);
});

// mpmath: erf(x), erfc(x)
test.each([
  [1e-10, 1.12837916709551257e-10, 0.999999999887162083],
  [0.3, 0.328626759459127428, 0.671373240540872572],
  [1, 0.842700792949714869, 0.157299207050285131],
  [1.9999, 0.995320197907029391, 0.00467980209297060854],
  [2, 0.995322265018952734, 0.00467773498104726584],
  [2.5, 0.999593047982555041, 0.00040695201744495894],
  [10, 1, 2.08848758376254476e-45],
  [26, 1, 5.66319240885614285e-296],
])('erf and erfc at %d', (x, expectedErf, expectedErfc) => {
  expect(difference(erf(x), expectedErf)).toBeLessThan(1e-13);
  expect(difference(erfc(x), expectedErfc)).toBeLessThan(1e-12);
  expect(erf(-x)).toBe(-erf(x));
  expect(difference(erfc(-x), 2 - expectedErfc)).toBeLessThan(1e-13);
});

// mpmath: ncdf(x)
test.each([
  [-10, 7.61985302416052607e-24],
  [-3, 0.00134989803163009453],
  [-1, 0.158655253931457051],
  [0.5, 0.691462461274013104],
  [4, 0.99996832875816688],
])('normalCdf(%d) = %d', (x, expected) => {
  expect(difference(normalCdf(x), expected)).toBeLessThan(1e-12);
});

// mpmath: findroot of log ncdf(x) = log p
test.each([
  [1e-300, -37.0470962993611992],
  [1e-20, -9.26234008979840757],
  [1e-6, -4.75342430882289895],
  [0.025, -1.95996398454005424],
  [0.4, -0.253347103135799799],
  [0.8, 0.841621233572914205],
  [0.95, 1.64485362695147271],
  [0.999, 3.09023230616781354],
])('normalQuantile(%d) = %d', (probability, expected) => {
  expect(difference(normalQuantile(probability), expected)).toBeLessThan(1e-13);
});

// mpmath: betainc(a, b, 0, x, regularized=True)
test.each([
  [0.3, 2, 3, 0.3483],
  [0.01, 1, 50, 0.39499393286246335],
  [0.49, 5000, 5000, 0.0227420323245746421],
  [0.001, 10, 10_000, 0.543258864765523548],
  [0.9, 100, 3, 0.00163352603158662983],
  [1e-6, 0.3, 7, 0.0311843650025384679],
])('I_%d(%d, %d) = %d, and back', (x, a, b, expected) => {
  expect(difference(regularisedBeta(x, a, b), expected)).toBeLessThan(1e-12);
  expect(difference(betaQuantile(expected, a, b), x)).toBeLessThan(1e-12);
});

describe('laws', () => {
  const shape = fc.double({ min: 0.2, max: 5000, noNaN: true });
  const probability = fc.double({ min: 1e-12, max: 1 - 1e-12, noNaN: true });

  test('logGamma(x + 1) = logGamma(x) + log x', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), (x) => {
        expect(Math.abs(logGamma(x + 1) - logGamma(x) - Math.log(x))).toBeLessThan(
          1e-14 * (20 + Math.abs(logGamma(x + 1))),
        );
      }),
    );
  });

  test('normalQuantile inverts normalCdf', () => {
    fc.assert(
      fc.property(probability, (p) => {
        expect(difference(normalCdf(normalQuantile(p)), p)).toBeLessThan(1e-12);
      }),
    );
  });

  test('betaQuantile inverts regularisedBeta', () => {
    fc.assert(
      fc.property(probability, shape, shape, (p, a, b) => {
        const x = betaQuantile(p, a, b);
        const [below, above] = [
          regularisedBeta(x * (1 - 1e-12), a, b),
          regularisedBeta(x * (1 + 1e-12), a, b),
        ];
        expect(below).toBeLessThanOrEqual(p * (1 + 1e-11));
        expect(above).toBeGreaterThanOrEqual(p * (1 - 1e-11));
      }),
    );
  });

  test('I_x(a, b) = 1 - I_(1-x)(b, a)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 }), shape, shape, (k, a, b) => {
        const x = k / 1024;
        expect(Math.abs(regularisedBeta(x, a, b) + regularisedBeta(1 - x, b, a) - 1)).toBeLessThan(1e-12);
      }),
    );
  });

  test('I_x(k, n - k + 1) is the upper tail of the binomial distribution', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.nat(39),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (n, at, x) => {
          const k = 1 + (at % n);
          let tail = 0;
          for (let j = k; j <= n; j++) tail += choose(n, j) * x ** j * (1 - x) ** (n - j);
          expect(difference(regularisedBeta(x, k, n - k + 1), tail)).toBeLessThan(1e-11);
        },
      ),
    );
  });
});

test('edges', () => {
  expect([logGamma(Infinity), logGamma(0), logGamma(-1)]).toEqual([Infinity, Number.NaN, Number.NaN]);
  expect([erf(0), erf(Infinity), erf(-Infinity), erf(Number.NaN)]).toEqual([0, 1, -1, Number.NaN]);
  expect([erfc(0), erfc(Infinity), erfc(-Infinity), erfc(Number.NaN)]).toEqual([1, 0, 2, Number.NaN]);
  expect([normalQuantile(0), normalQuantile(0.5), normalQuantile(1)]).toEqual([-Infinity, 0, Infinity]);
  expect([normalQuantile(-0.1), normalQuantile(1.1), normalQuantile(Number.NaN)]).toEqual([
    Number.NaN,
    Number.NaN,
    Number.NaN,
  ]);
  expect([regularisedBeta(0, 2, 3), regularisedBeta(1, 2, 3), regularisedBeta(-1, 2, 3)]).toEqual([0, 1, 0]);
  expect([regularisedBeta(0.5, 0, 1), regularisedBeta(Number.NaN, 1, 1)]).toEqual([Number.NaN, Number.NaN]);
  expect([betaQuantile(0, 2, 3), betaQuantile(1, 2, 3), betaQuantile(2, 2, 3)]).toEqual([0, 1, Number.NaN]);
  expect(difference(betaQuantile(1e-30, 0.1, 1), 1e-300)).toBeLessThan(1e-10);
});

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}

describe('regularisedGamma', () => {
  test.each(vectors.regularisedGamma)(
    'of $a and $x is $below and $above (mpmath)',
    ({ a, x, below, above }) => {
      const value = regularisedGamma(a, x);
      expect(difference(value.below, below)).toBeLessThan(1e-11);
      // Only the tail that is computed directly has relative accuracy.
      expect(Math.abs(value.above - above)).toBeLessThan(1e-11 * (x < a + 1 ? 1 : above));
    },
  );

  test('of a whole number is a sum of Poisson probabilities', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.double({ min: 0, max: 200, noNaN: true }), (a, x) => {
        let term = Math.exp(-x);
        let above = term;
        for (let k = 1; k < a; k++) above += term *= x / k;
        expect(difference(regularisedGamma(a, x).above, above)).toBeLessThan(above > 1e-3 ? 1e-11 : 1e-9);
      }),
    );
  });

  test('has its limits, and is not a number outside its domain', () => {
    expect(regularisedGamma(2, 0)).toEqual({ below: 0, above: 1 });
    expect(regularisedGamma(2, Infinity)).toEqual({ below: 1, above: 0 });
    for (const [a = 0, x = 0] of [
      [0, 1],
      [1, -1],
      [Number.NaN, 1],
      [1, Number.NaN],
    ])
      expect(regularisedGamma(a, x)).toEqual({ below: Number.NaN, above: Number.NaN });
  });
});
