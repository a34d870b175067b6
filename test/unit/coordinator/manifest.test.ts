import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { FederationConfig } from '../../../coordinator/config.ts';
import { protectionOf } from '../../../coordinator/config.ts';
import { assertSameRun, freshRunId, manifestOf, parleyVersion } from '../../../coordinator/manifest.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import type { Manifest } from '../../../shared/protocol/manifest.ts';
import { secureRng, seededRng } from '../../../shared/random/rng.ts';
import { RunId, Seed, SiteId } from '../../../shared/units.ts';
import { aFederationConfig } from '../../support/a-run.ts';
import { plainPopulation } from '../../support/audit-evidence.ts';

type Facts = Parameters<typeof manifestOf>[0];
const model = { parameters: new Float32Array(3), sha256: sha256('initial'), sizeBytes: 9 };

/** What a manifest is written from; the ports of a run play no part in it. */
function facts(config: FederationConfig, change: Partial<Facts> = {}): Facts {
  const site = (declaredUsers: number, privacy: 'private' | 'simulation: not private') => ({
    declaredUsers,
    privacy,
    population: plainPopulation(['member', 'held-out', 'member', 'reference']),
  });
  return {
    run: RunId.parse('tiny-1'),
    config,
    protection: protectionOf(config),
    referenceModels: [],
    rng: secureRng(),
    sites: new Map([
      [SiteId.parse('east'), site(40, 'private')],
      [SiteId.parse('west'), site(60, 'private')],
    ]),
    ...change,
  } as Facts;
}

/** As a restarted coordinator finds it: through JSON. */
function stored(config: FederationConfig): Manifest {
  return JSON.parse(JSON.stringify(manifestOf(facts(config), model))) as Manifest;
}

describe('the manifest of a run', () => {
  test('says what it takes to repeat the run', () => {
    const config = aFederationConfig({ description: 'three of them', epsilonLimit: 4 });
    const manifest = manifestOf(facts(config), model);
    expect(manifest).toMatchObject({
      run: 'tiny-1',
      name: 'tiny',
      description: 'three of them',
      seed: 5,
      config: { federation: { rounds: 3, epsilonLimit: 4 }, protection: { noiseMultiplier: 2.5 } },
      sites: [
        { id: 'east', declaredUsers: 40, members: 2, heldOut: 1, reference: 1 },
        { id: 'west', declaredUsers: 60, members: 2, heldOut: 1, reference: 1 },
      ],
      initialModelSha256: sha256('initial'),
      versions: { parley: parleyVersion(), node: process.versions.node },
    });
  });

  test('one seeded party makes the whole run a simulation', () => {
    const config = aFederationConfig({ seed: null, deadlines: { answerAfterMs: 500 } });
    const privacyOf = (change: Partial<Facts> = {}): string =>
      manifestOf(facts(config, change), model).privacy;
    expect(privacyOf()).toBe('private');
    expect(privacyOf({ rng: seededRng(Seed.parse(1)) })).toBe('simulation: not private');
    const [one, two] = [...facts(config).sites];
    const sites = new Map([one!, [two![0], { ...two![1], privacy: 'simulation: not private' as const }]]);
    expect(privacyOf({ sites })).toBe('simulation: not private');
  });

  test('names the version of this package', () => {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync('package.json', 'utf8')));
    expect(parleyVersion()).toBe(version);
  });
});

describe('a directory goes on with its own run', () => {
  test('under the same configuration, however it was written down', () => {
    const config = aFederationConfig();
    expect(() => {
      assertSameRun(stored(config), aFederationConfig({ cohort: {}, description: '' }), 'runs/a');
    }).not.toThrow();
  });

  test.each<[string, Record<string, unknown>]>([
    ['another number of rounds', { rounds: 4 }],
    ['another seed', { seed: 6 }],
    ['another quorum', { cohort: { minSites: 3 } }],
    [
      'another clip norm',
      {
        protection: { type: 'user-dp', clipNorm: 0.6, samplingRate: 0.5, delta: 1e-5, noiseMultiplier: 2.5 },
      },
    ],
    ['another leakage policy', { leakage: [{ figure: 'user-auc', limit: 0.6, action: 'warn' }] }],
  ])('%s is another run', (_what, change) => {
    const check = (): void => {
      assertSameRun(stored(aFederationConfig()), aFederationConfig(change), 'runs/a');
    };
    expect(check).toThrow(expect.objectContaining({ code: 'RUN_MISMATCH' }));
    expect(check).toThrow('runs/a holds run tiny-1');
  });
});

describe('the id of a fresh run', () => {
  test('is that of the seed, or random', () => {
    const bytes = Uint8Array.of(0, 171, 255);
    expect(freshRunId(aFederationConfig({ seed: 31 }), bytes)).toBe('tiny-seed-31');
    expect(freshRunId(aFederationConfig({ seed: null }), bytes)).toBe('tiny-00abff');
    expect(
      RunId.safeParse(freshRunId(aFederationConfig({ name: 'a'.repeat(40), seed: null }), bytes)).success,
    ).toBe(true);
  });
});
