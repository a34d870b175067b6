import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FederationConfig, protectionOf } from '../../../coordinator/config.ts';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import { sampledGaussian } from '../../../shared/privacy/accounting/event.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../../../shared/units.ts';
import { aFederationConfig } from '../../support/a-run.ts';

const userDp = { type: 'user-dp', clipNorm: 0.5, samplingRate: 0.25, delta: 1e-6 };
const withProtection = (protection: unknown, change: Record<string, unknown> = {}): FederationConfig =>
  aFederationConfig({ protection, ...change });
const isValid = (change: Record<string, unknown>): boolean =>
  FederationConfig.safeParse({ ...aFederationConfig(), ...change }).success;

describe('the promise of a federation', () => {
  test('is written down as a noise multiplier or as an epsilon, never as both or neither', () => {
    expect(isValid({ protection: { ...userDp, noiseMultiplier: 1.5 } })).toBe(true);
    expect(isValid({ protection: { ...userDp, epsilon: 3 } })).toBe(true);
    expect(isValid({ protection: userDp })).toBe(false);
    expect(isValid({ protection: { ...userDp, noiseMultiplier: 1.5, epsilon: 3 } })).toBe(false);
  });

  test('a noise multiplier goes into every plan as it is', () => {
    expect(protectionOf(withProtection({ ...userDp, noiseMultiplier: 1.37 }))).toEqual({
      ...userDp,
      mode: 'local',
      noiseMultiplier: 1.37,
    });
  });

  test('an epsilon is kept by all rounds together, and all but used up', () => {
    const settings = fc.record({
      epsilon: fc.double({ min: 0.3, max: 12, noNaN: true }),
      rounds: fc.integer({ min: 1, max: 200 }),
      samplingRate: fc.constantFrom(0.03, 0.2, 0.7, 1),
    });
    fc.assert(
      fc.property(settings, ({ epsilon, rounds, samplingRate }) => {
        const config = withProtection({ ...userDp, samplingRate, epsilon }, { rounds });
        const protection = protectionOf(config);
        const cost = (z: number): number => {
          const event = sampledGaussian(NoiseMultiplier.parse(z), SamplingRate.parse(samplingRate));
          return reportedEpsilon([{ event, count: rounds }], Delta.parse(1e-6));
        };
        expect(protection).toEqual({
          ...userDp,
          mode: 'local',
          samplingRate,
          noiseMultiplier: expect.any(Number) as unknown,
        });
        const z = protection.type === 'user-dp' ? protection.noiseMultiplier : 0;
        expect(cost(z)).toBeLessThanOrEqual(epsilon);
        expect(cost(z) >= 0.9999 * epsilon || cost(z * (1 - 1e-6)) > epsilon).toBe(true);
      }),
      { numRuns: 8 },
    );
  });

  test('an epsilon that no noise can keep is refused before anything starts', () => {
    const impossible = withProtection({ ...userDp, delta: 1e-12, epsilon: 1e-7 });
    expect(() => protectionOf(impossible)).toThrow(
      expect.objectContaining({ code: 'CALIBRATION_IMPOSSIBLE' }),
    );
  });

  test.each([
    { ...userDp, noiseMultiplier: 1.5 },
    { type: 'user-dp-banded', clipNorm: 0.5, minSeparation: 4, delta: 1e-6, noiseMultiplier: 9 },
  ])('is none that training on all users together would break', (protection) => {
    const local = { epochs: 1, batchSize: 'all', learningRate: 0.5, silo: { type: 'selena' } };
    expect(() => protectionOf(withProtection(protection, { local }))).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(`${protection.type} would promise what does not hold`) as unknown,
      }),
    );
    expect(protectionOf(withProtection({ type: 'none' }, { local })).type).toBe('none');
  });

  test('or not: representations are aligned only where something moves them', () => {
    const silo = { type: 'representation-alignment' };
    const local = { epochs: 1, batchSize: 'all', learningRate: 0.5, silo };
    const { model } = aFederationConfig();
    const layers = [{ type: 'dense', units: 3, activation: 'tanh' }];
    const none = { type: 'none' };
    expect(() => protectionOf(withProtection(none, { local }))).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('local.silo: representation-alignment moves the inputs') as unknown,
      }),
    );
    expect(protectionOf(withProtection(none, { local, model: { ...model, layers } })).type).toBe('none');
  });

  test('no protection needs no figures', () => {
    expect(protectionOf(withProtection({ type: 'none' }))).toEqual({
      type: 'none',
      gridRange: 16,
      samplingRate: 1,
      delta: 1e-6,
    });
  });
});

describe('the configuration of a federation', () => {
  test('asks at least as many sites as a round needs', () => {
    const cohort = (sites: unknown, minSites: number): (() => unknown) => {
      const config = aFederationConfig({ cohort: { sites, minSites } });
      return () => protectionOf(config);
    };
    expect(cohort(2, 3)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(cohort(2, 3)).toThrow('cohort.sites is 2 but cohort.minSites is 3');
    expect(cohort(3, 3)).not.toThrow();
    expect(cohort('all', 3)).not.toThrow();
  });

  test('a real run needs a tick to answer at, and one before the deadline', () => {
    const run = (change: Record<string, unknown>) => () => protectionOf(aFederationConfig(change));
    expect(run({ seed: null })).toThrow('deadlines.answerAfterMs is 0');
    expect(run({ seed: null, deadlines: { answerAfterMs: 2000 } })).not.toThrow();
    expect(run({ deadlines: { answerAfterMs: 2000, roundMs: 2000 } })).toThrow(
      'every answer would come too late',
    );
    expect(run({ deadlines: { answerAfterMs: 1999, roundMs: 2000 } })).not.toThrow();
  });

  test('has defaults for all that need not be said', () => {
    const { name, model, rounds, local, protection, server } = aFederationConfig();
    const config = FederationConfig.parse({ name, model, rounds, local, protection, server });
    expect(config).toMatchObject({
      cohort: { sites: 'all', minSites: 2, belowMinimum: 'repeat', maxRepeats: 3 },
      deadlines: { enrolMs: 600_000, roundMs: 600_000, scoreMs: 300_000, answerAfterMs: 0 },
      audit: { attack: 'mean-log-ratio', level: 0.95 },
      leakage: [],
      epsilonLimit: null,
      colludingSites: 1,
      seed: null,
      published: [],
    });
  });

  test.each<[string, Record<string, unknown>]>([
    ['no round', { rounds: 0 }],
    ['a name that is no file name', { name: '../tiny' }],
    ['half a site', { cohort: { sites: 1.5 } }],
    ['nobody to answer', { cohort: { minSites: 0 } }],
    ['no time to answer', { deadlines: { roundMs: 0 } }],
    ['fewer colluders than none', { colludingSites: -1 }],
    ['a seed that means no seed', { seed: 0 }],
    ['a sampling rate above one', { protection: { ...userDp, samplingRate: 1.1, epsilon: 3 } }],
    ['a delta of one', { protection: { ...userDp, delta: 1, epsilon: 3 } }],
    ['a misspelt key', { colludingsites: 1 }],
  ])('refuses %s', (_what, change) => {
    expect(isValid({})).toBe(true);
    expect(isValid(change)).toBe(false);
  });
});
