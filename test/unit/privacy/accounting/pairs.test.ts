import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pldBounds } from '../../../../shared/privacy/accounting/accountants.ts';
import { dominatedPair } from '../../../../shared/privacy/accounting/pld/dominated-pair.ts';
import { lossAt, outcomeAt } from '../../../../shared/privacy/accounting/pld/loss.ts';
import { reachOf } from '../../../../shared/privacy/accounting/pld/pairs.ts';
import { profileOf } from '../../../../shared/privacy/accounting/pld-accountant.ts';
import { Delta } from '../../../../shared/units.ts';
import { sampled } from './events.ts';

test('a pair from below gets on where the least loss lies exactly on the grid', () => {
  const mechanism = { noiseMultiplier: 1, samplingRate: 1 };
  const { first, logMass, offset, slack } = dominatedPair(mechanism, 0.5, { from: -7.5, to: 8.5, lost: 0 });
  // The loss of the outcome s is s - 1/2, and the first interval holds half a step of them.
  expect(first).toBe(0);
  expect(offset).toBeGreaterThan(-8);
  expect(offset).toBeLessThan(-7.75);
  expect(logMass.reduce((total, mass) => total + Math.exp(mass), 0)).toBeGreaterThan(1 - 1e-6);
  expect(slack).toBeLessThan(1e-7);
});

test('a ledger of two sampled and two plain mechanisms whose grid began there, from both sides', () => {
  const entries = [
    [16.326880560621355, 0.004894272073565061, 9],
    [10.105516374629307, 1, 9],
    [2.0550934490693127, 1, 9],
    [7.792840532084987, 0.013504240478894014, 34],
  ].map(([z, q, count]) => ({ event: sampled(z!, q!), count: count! }));
  const { lower, upper } = pldBounds(entries, Delta.parse(1e-6));
  expect(lower).toBeLessThanOrEqual(upper);
  expect(upper / lower - 1).toBeLessThan(1e-3);
});

test('a user who hardly ever takes part: both bounds on delta are close at epsilons near 0 too', () => {
  const profile = profileOf([{ event: sampled(15.363324533303269, 0.0010398250879633927), count: 4 }]);
  // A total variation distance, which is delta at 0, is at most the expected participations times that of the noise.
  const most = (4 * 0.0010398250879633927) / (15.363324533303269 * Math.sqrt(2 * Math.PI));
  for (const epsilon of [0, 2.8e-5, 1e-4]) {
    const { lower, upper } = profile.delta(epsilon);
    expect(lower).toBeLessThanOrEqual(upper);
    expect(upper / lower - 1).toBeLessThan(1e-3);
    expect(upper).toBeLessThan(most * 1.01);
  }
});

/** Noise multipliers from 0.1 to 100. */
const noises = fc.double({ min: -1, max: 2, noNaN: true }).map((power) => 10 ** power);

test('no more than was asked is out of reach, however seldom a user takes part', () => {
  const powers = fc.double({ min: -14, max: 0, noNaN: true });
  fc.assert(
    fc.property(noises, powers, fc.double({ min: -300, max: -1, noNaN: true }), (z, power, logLost) => {
      const lost = 10 ** logLost;
      const reach = reachOf({ noiseMultiplier: z, samplingRate: 10 ** power }, lost);
      expect(reach.lost).toBeLessThanOrEqual(lost);
    }),
  );
});

test('the outcome of a loss is the one whose loss it is, also where the sampling rate is all but 1', () => {
  const outcomes = fc.double({ min: -9, max: 9, noNaN: true });
  fc.assert(
    fc.property(noises, fc.integer({ min: 1, max: 2 ** 52 }), outcomes, (z, ulps, s) => {
      const mechanism = { noiseMultiplier: z, samplingRate: 1 - ulps * 2 ** -53 };
      const loss = lossAt(mechanism, s);
      // Near the least loss outcomes have hardly any of their own.
      const spread = lossAt(mechanism, s + 1e-6) - lossAt(mechanism, s - 1e-6);
      fc.pre(spread > 2e-10 * Math.max(1, Math.abs(loss)));
      expect(Math.abs(outcomeAt(mechanism, loss) - s)).toBeLessThan(1e-6);
    }),
  );
});

test('no release tells more of an absence than that the coin fell on no', () => {
  const profile = profileOf([{ event: sampled(0.3, 3.344e-4), count: 60 }]);
  const largest = -60 * Math.log1p(-3.344e-4);
  expect(profile.delta(largest * 1.001).adding).toEqual({ lower: 0, upper: 0 });
  expect(profile.delta(largest * 0.9).adding.upper).toBeLessThan(1 - Math.exp(-0.11 * largest));
  const { lower, upper } = profile.delta(0.0214);
  expect(upper / lower - 1).toBeLessThan(5e-3);
});

test('from below no outcome within reach is left out, whatever the step; the neighbour has what the losses say', () => {
  const [powers, steps] = [
    [-7, 0],
    [-3, 2],
  ].map(([min, max]) => fc.double({ min: min!, max: max!, noNaN: true }).map((power) => 10 ** power));
  fc.assert(
    fc.property(noises, powers!, steps!, (noiseMultiplier, samplingRate, share) => {
      const mechanism = { noiseMultiplier, samplingRate };
      const reach = reachOf(mechanism, 1e-12);
      // From fractions to many times what a release typically loses.
      const typical = Math.abs(lossAt(mechanism, 2) - lossAt(mechanism, -2));
      const step = Math.max(
        share * typical,
        (lossAt(mechanism, reach.to) - lossAt(mechanism, reach.from)) / 1e4,
      );
      const { logMass, offset } = dominatedPair(mechanism, step, reach);
      const [withHer, without] = [0, 1].map((neighbour) =>
        logMass.reduce((sum, mass, j) => sum + Math.exp(mass - neighbour * (offset + j * step)), 0),
      );
      expect(Math.abs(withHer! - 1)).toBeLessThan(1e-9);
      expect(Math.abs(without! - 1)).toBeLessThan(1e-9);
    }),
  );
});

test('a mechanism far narrower than the step of the others takes nothing from their lower bound', () => {
  const profile = profileOf([
    { event: sampled(2.36, 1.37e-4), count: 58 },
    { event: sampled(1.056, 1.365e-3), count: 54 },
  ]);
  for (const epsilon of [0.1, 0.363, 1]) {
    const { lower, upper } = profile.delta(epsilon);
    expect(upper / lower - 1).toBeLessThan(5e-3);
  }
});

test('the best of all grids counts: a finer one from below can be worse', () => {
  const { lower, upper } = profileOf([
    { event: sampled(0.587645882581486, 0.0018485543538286572), count: 55 },
    { event: sampled(1.651891958523134, 0.0004553216523317828), count: 18 },
  ]).delta(4.86);
  expect(upper / lower - 1).toBeLessThan(0.02);
});
