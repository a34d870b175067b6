import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costliestSites, mirroredEpsilon, type SeenRound } from '../../../coordinator/mirror.ts';
import type { Participation } from '../../../coordinator/state.ts';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import { sampledGaussian } from '../../../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../../../shared/privacy/accounting/rdp-accountant.ts';
import { Protection } from '../../../shared/protocol/plan.ts';
import { Delta, NoiseMultiplier, SamplingRate, SiteId } from '../../../shared/units.ts';

const protection = Protection.parse({
  type: 'user-dp',
  mode: 'local',
  clipNorm: 0.5,
  noiseMultiplier: 1.75,
  samplingRate: 0.125,
  delta: 1e-5,
});
const none = Protection.parse({ type: 'none', gridRange: 1, samplingRate: 0.5, delta: 1e-5 });

/** Epsilon of some releases with the plan's noise, as that of several honest sites together. */
function cost(releases: number, honestSites = 1, epsilon = reportedEpsilon): number {
  const noiseMultiplier = NoiseMultiplier.parse(1.75 * Math.sqrt(honestSites));
  const event = sampledGaussian(noiseMultiplier, SamplingRate.parse(0.125));
  return epsilon(releases === 0 ? [] : [{ event, count: releases }], Delta.parse(1e-5));
}

/** The figures of a report: releases against the coordinator, and against recipients with how many honest sites. */
function figures(coordinator: number, recipients: number, honestSites = 1): unknown {
  return {
    coordinator: cost(coordinator),
    recipients: cost(recipients, honestSites),
    rdp: {
      coordinator: cost(coordinator, 1, rdpEpsilon),
      recipients: cost(recipients, honestSites, rdpEpsilon),
    },
  };
}

type Fate = 'answered' | 'missing' | 'absent' | `declined ${string}`;
const fates: Fate[] = [
  'answered',
  'missing',
  'absent',
  'declined BUDGET_EXCEEDED',
  'declined RELEASE_FORFEITED',
];

/** A round from what became of the sites a, b, c, ... */
function aRound(...became: readonly Fate[]): Participation {
  const named = became.map((fate, index) => ({ site: SiteId.parse('abcdefgh'.charAt(index)), fate }));
  const having = (wanted: Fate): SiteId[] =>
    named.filter(({ fate }) => fate === wanted).map(({ site }) => site);
  return {
    asked: named.filter(({ fate }) => fate !== 'absent').map(({ site }) => site),
    answered: having('answered'),
    missing: having('missing'),
    declined: named.flatMap(({ site, fate }) =>
      fate.startsWith('declined') ? [{ site, code: fate.slice('declined '.length), detail: '' }] : [],
    ),
  };
}

describe('epsilon as the coordinator mirrors it', () => {
  test('all answered: every release counts alone against the coordinator, with the others against recipients', () => {
    const rounds = Array.from({ length: 6 }, () => aRound('answered', 'answered', 'answered'));
    expect(mirroredEpsilon(rounds, protection, 1)).toEqual(figures(6, 6, 2));
    expect(mirroredEpsilon(rounds, protection, 0)).toEqual(figures(6, 6, 3));
    expect(mirroredEpsilon(rounds, protection, 9)).toEqual(figures(6, 6));
  });

  test('no round costs nothing, and a site that was never asked pays nothing', () => {
    expect(mirroredEpsilon([], protection, 1)).toEqual(figures(0, 0));
    const rounds = [aRound('declined POLICY_REFUSED', 'absent')];
    expect(mirroredEpsilon(rounds, protection, 1)).toEqual(figures(0, 0));
  });

  test('a missing site may have released, and its bytes went into no model', () => {
    const rounds = [aRound('answered', 'missing'), aRound('absent', 'answered'), aRound('absent', 'missing')];
    // Site b was asked three times; a single answer has no other site to hide among.
    expect(mirroredEpsilon(rounds, protection, 1)).toEqual(figures(3, 1));
  });

  test.each([
    ['POLICY_REFUSED', 2],
    ['BUDGET_EXCEEDED', 2],
    ['EQUIVOCATION', 3],
    ['RELEASE_FORFEITED', 3],
    ['WRONG_SHAPE', 3],
  ])('a refusal with %s is charged unless it proves that nothing was released', (code, releases) => {
    const rounds = [aRound('answered'), aRound('answered'), aRound(`declined ${code}`)];
    expect(mirroredEpsilon(rounds, protection, 1).coordinator).toBe(cost(releases));
    expect(mirroredEpsilon(rounds, protection, 1).recipients).toBe(cost(2));
  });

  test('is the largest over the sites, never less after another round, and recipients never pay more', () => {
    const round = fc
      .array(fc.constantFrom(...fates), { minLength: 4, maxLength: 4 })
      .map((became) => aRound(...became));
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 6 }), fc.nat(3), (rounds, colluding) => {
        const now = mirroredEpsilon(rounds, protection, colluding);
        const releases = ['a', 'b', 'c', 'd'].map((site) => {
          const mine = rounds.filter(({ asked, declined }) => {
            const refusal = declined.find((other) => other.site === site);
            return asked.some((other) => other === site) && refusal?.code !== 'BUDGET_EXCEEDED';
          });
          return mine.length;
        });
        expect(now.coordinator).toBe(Math.max(...[...new Set(releases)].map((count) => cost(count))));
        expect(now.recipients).toBeLessThanOrEqual(Number(now.coordinator));
        const before = mirroredEpsilon(rounds.slice(0, -1), protection, colluding);
        expect(Number(before.coordinator)).toBeLessThanOrEqual(Number(now.coordinator));
        expect(Number(before.recipients)).toBeLessThanOrEqual(Number(now.recipients));
      }),
      { numRuns: 30 },
    );
  });

  test('without protection it is infinite for whoever may have released', () => {
    const view = (fate: Fate): unknown => mirroredEpsilon([aRound(fate)], none, 1);
    const both = (coordinator: unknown, recipients: unknown): unknown => ({
      ...{ coordinator, recipients },
      rdp: { coordinator, recipients },
    });
    expect(view('answered')).toEqual(both('infinite', 'infinite'));
    expect(view('missing')).toEqual(both('infinite', 0));
    expect(view('declined POLICY_REFUSED')).toEqual(both(0, 0));
  });

  test('a count beside the update costs nothing on top: z is what is charged, whatever the clip norm', () => {
    const rounds = Array.from({ length: 5 }, () => aRound('answered', 'answered', 'answered'));
    for (const [clipNorm, bitStdDev] of [
      [0.5, 8.75],
      [0.001, 8.75],
      [70, 0.9],
    ]) {
      const adaptive = Protection.parse({ ...protection, clipNorm, adaptiveClipping: { bitStdDev } });
      const { coordinator, recipients } = mirroredEpsilon(rounds, adaptive, 1);
      expect(coordinator).toBeCloseTo(cost(5), 6);
      expect(recipients).toBeCloseTo(cost(5, 2), 6);
    }
  });
});

describe('the sites whose figures are computed', () => {
  const names = ['a', 'b', 'c', 'd', 'e'].map((site) => SiteId.parse(site));
  const seen = (sumOf: number, ...sites: readonly number[]): SeenRound => ({
    sites: new Set(sites.map((site) => names[site]!)),
    sumOf,
  });

  test('are one of thousands that did the same, and the one that missed nothing', () => {
    const many = Array.from({ length: 3000 }, (_, index) => SiteId.parse(`site-${index}`));
    const all = { sites: new Set(many), sumOf: 3000 };
    expect(costliestSites(Array.from({ length: 20 }, () => all))).toHaveLength(1);
    // Site 0 answers always, each other site misses rounds of its own.
    const rounds = Array.from({ length: 20 }, (_, round) => {
      const sites = many.filter((_site, index) => index === 0 || (index * 7919) % 20 !== round);
      return { sites: new Set(sites), sumOf: sites.length };
    });
    expect(costliestSites(rounds)).toEqual(['site-0']);
  });

  test('leave out no site that might cost most: fewer releases in smaller sums, or more in larger ones', () => {
    expect(costliestSites([seen(2, 0), seen(9, 1), seen(9, 1)]).sort()).toEqual(['a', 'b']);
    expect(costliestSites([seen(2, 0), seen(2, 1), seen(9, 1)])).toEqual(['b']);
    expect(costliestSites([seen(3, 0, 1), seen(1, 0), seen(2, 1)])).toEqual(['a']);
    expect(costliestSites([])).toEqual([]);
    expect(costliestSites([seen(0)])).toEqual([]);
  });

  test('cover every other: no smaller number of releases, matched with no larger sums', () => {
    const round = fc
      .tuple(fc.uniqueArray(fc.nat(4)), fc.integer({ min: 1, max: 5 }))
      .map(([sites, sumOf]) => seen(sumOf, ...sites));
    fc.assert(
      fc.property(fc.array(round, { maxLength: 8 }), (rounds) => {
        const sums = (site: SiteId): number[] =>
          rounds
            .filter(({ sites }) => sites.has(site))
            .map(({ sumOf }) => sumOf)
            .sort((a, b) => a - b);
        const covers = (one: SiteId, other: SiteId): boolean =>
          sums(other).every((sum, index) => sum >= (sums(one)[index] ?? Infinity));
        const kept = costliestSites(rounds);
        for (const site of names.filter((name) => sums(name).length > 0))
          expect(kept.some((one) => covers(one, site))).toBe(true);
        for (const one of kept) expect(kept.filter((other) => covers(other, one))).toEqual([one]);
      }),
    );
  });
});
