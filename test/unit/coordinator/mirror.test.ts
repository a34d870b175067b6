import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mirroredEpsilon } from '../../../coordinator/mirror.ts';
import type { Participation } from '../../../coordinator/state.ts';
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
function cost(releases: number, honestSites = 1): number {
  const noiseMultiplier = NoiseMultiplier.parse(1.75 * Math.sqrt(honestSites));
  const event = sampledGaussian(noiseMultiplier, SamplingRate.parse(0.125));
  return rdpEpsilon(releases === 0 ? [] : [{ event, count: releases }], Delta.parse(1e-5));
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
    expect(mirroredEpsilon(rounds, protection, 1)).toEqual({ coordinator: cost(6), recipients: cost(6, 2) });
    expect(mirroredEpsilon(rounds, protection, 0)).toEqual({ coordinator: cost(6), recipients: cost(6, 3) });
    expect(mirroredEpsilon(rounds, protection, 9)).toEqual({ coordinator: cost(6), recipients: cost(6) });
  });

  test('no round costs nothing, and a site that was never asked pays nothing', () => {
    expect(mirroredEpsilon([], protection, 1)).toEqual({ coordinator: 0, recipients: 0 });
    const rounds = [aRound('declined POLICY_REFUSED', 'absent')];
    expect(mirroredEpsilon(rounds, protection, 1)).toEqual({ coordinator: 0, recipients: 0 });
  });

  test('a missing site may have released, and its bytes went into no model', () => {
    const rounds = [aRound('answered', 'missing'), aRound('absent', 'answered'), aRound('absent', 'missing')];
    // Site b was asked three times; a single answer has no other site to hide among.
    expect(mirroredEpsilon(rounds, protection, 1)).toEqual({ coordinator: cost(3), recipients: cost(1) });
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
        const charged = ['a', 'b', 'c', 'd'].map((site) => {
          const mine = rounds.filter(({ asked, declined }) => {
            const refusal = declined.find((other) => other.site === site);
            return asked.some((other) => other === site) && refusal?.code !== 'BUDGET_EXCEEDED';
          });
          return cost(mine.length);
        });
        expect(now.coordinator).toBe(Math.max(...charged));
        expect(now.recipients).toBeLessThanOrEqual(Number(now.coordinator));
        const before = mirroredEpsilon(rounds.slice(0, -1), protection, colluding);
        expect(Number(before.coordinator)).toBeLessThanOrEqual(Number(now.coordinator));
        expect(Number(before.recipients)).toBeLessThanOrEqual(Number(now.recipients));
      }),
      { numRuns: 60 },
    );
  });

  test('without protection it is infinite for whoever may have released', () => {
    const view = (fate: Fate): unknown => mirroredEpsilon([aRound(fate)], none, 1);
    expect(view('answered')).toEqual({ coordinator: 'infinite', recipients: 'infinite' });
    expect(view('missing')).toEqual({ coordinator: 'infinite', recipients: 0 });
    expect(view('declined POLICY_REFUSED')).toEqual({ coordinator: 0, recipients: 0 });
  });
});
