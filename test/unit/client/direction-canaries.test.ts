import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packRoles, rolesFor, rosterOf, unpackRoles } from '../../../client/audit-roles.ts';
import { ClientConfig } from '../../../client/config.ts';
import { flipCanaries, memberCanaries } from '../../../client/direction-canaries.ts';
import { participate } from '../../../client/participate.ts';
import { roundSource } from '../../../client/round-noise.ts';
import type { Site } from '../../../client/site.ts';
import { alongDirection, canaryDirection } from '../../../shared/privacy/canary-direction.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { type Plan, releaseShape } from '../../../shared/protocol/plan.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed, SiteId } from '../../../shared/units.ts';
import { aLedger, aPlan, aShard, aSite, run, tinyParams, trainerOf, userDp } from '../../support/a-site.ts';

const site = SiteId.parse('north');
const seeded = (seed: number): Site['rng'] => seededRng(Seed.parse(seed));
const coins = (...own: number[]): NonNullable<Site['directions']> => ({ site, coins: Int32Array.from(own) });
const shares = { fraction: 0.5, referenceFraction: 0.2 };

/** What a site releases, parameter units, with and without something changed. */
async function released(plan: Plan, change: Partial<Site>, sum = [0.1, -0.2, 0.05]): Promise<number[]> {
  const own = await aSite(10, { ...change, ledger: await aLedger() });
  const { bytes } = await participate(plan, new Float32Array(tinyParams), own, trainerOf(sum));
  const { numCoordinates, gridStep } = releaseShape(plan.protection, tinyParams);
  return [...decodedUpdate(bytes, numCoordinates)].map((value) => value * gridStep);
}

const everyRound = userDp({ samplingRate: 1, noiseMultiplier: 1.5 });

describe("a canary's coin", () => {
  test('is kept with the audit roles: what is unpacked is what was packed', () => {
    fc.assert(
      fc.property(
        fc.nat(40),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 2 ** 31 }),
        (directions, users, seed) => {
          const roles = rolesFor(
            run,
            { shard: aShard(users), rng: seeded(seed) },
            { ...shares, canaries: { directions, mislabelled: 0 } },
          );
          expect(unpackRoles(packRoles(roles))).toEqual(roles);
          expect(roles.canaries?.length ?? 0).toBe(directions);
          const roster = rosterOf(aShard(users), roles, { declaredUsers: users, privacy: 'private' });
          expect(roster.canaries).toEqual(roles.canaries ?? new Int32Array(0));
        },
      ),
    );
  });

  test('leaves the coins of people as they are', () => {
    const roles = (directions: number): ReturnType<typeof rolesFor> =>
      rolesFor(
        run,
        { shard: aShard(30), rng: seeded(3) },
        { ...shares, canaries: { directions, mislabelled: 0 } },
      );
    const { canaries, ...people } = roles(20);
    expect(canaries).toHaveLength(20);
    expect(people).toEqual(roles(0));
  });

  test('is fair', () => {
    // 20,000 coins: four and a half standard deviations are 318.
    const heldOut = flipCanaries(20_000, seeded(1)).reduce((sum, coin) => sum + coin, 0);
    expect(Math.abs(heldOut - 10_000)).toBeLessThan(318);
  });

  test('survives the ledger', async () => {
    const ledger = await aLedger();
    const flip = (seed: number) => (): Int32Array =>
      packRoles(
        rolesFor(
          run,
          { shard: aShard(9), rng: seeded(seed) },
          { ...shares, canaries: { directions: 12, mislabelled: 0 } },
        ),
      );
    const first = unpackRoles(await ledger.roles(run, flip(1)));
    expect(unpackRoles(await ledger.roles(run, flip(2)))).toEqual(first);
  });
});

describe('a member canary in a round', () => {
  test('adds its direction times C, however large it was before clipping; a held-out one adds nothing', async () => {
    const plan = aPlan({ protection: everyRound });
    const without = await released(plan, {});
    expect(await released(plan, { directions: coins(1, 1, 1) })).toEqual(without);
    const withOne = await released(plan, { directions: coins(1, 0) });
    const added = withOne.map((value, i) => value - without[i]!);
    expect(Math.hypot(...added)).toBeCloseTo(0.25, 4);
    expect(alongDirection(canaryDirection({ run, site, canary: 1 }, tinyParams), added)).toBeCloseTo(0.25, 4);
  });

  test('enters ten times as large where clipping is broken, and bare where noise is', async () => {
    const plan = aPlan({ protection: everyRound });
    const broken = (noise: 'on' | 'off', clipping: 'on' | 'off'): Partial<Site> => ({
      redTeam: { brokenProtection: { noise, clipping } },
    });
    const base = await released(plan, {});
    const unclipped = await released(plan, { directions: coins(0), ...broken('on', 'off') });
    expect(Math.hypot(...unclipped.map((value, i) => value - base[i]!))).toBeCloseTo(2.5, 4);
    const bare = await released(plan, broken('off', 'on'));
    expect(bare).toEqual([0.1, -0.2, 0.05].map((value) => expect.closeTo(value, 4) as number));
  });

  test('draws its own coin and shifts nobody else', async () => {
    const plan = aPlan({ protection: userDp() });
    const drawn = async (directions: Site['directions'] | undefined): Promise<[Int32Array, Int32Array]> => {
      const own = await aSite(40, directions ? { directions } : {});
      const { users, drawnCanaries } = (await roundSource(plan, tinyParams, own)).draw();
      return [users, drawnCanaries];
    };
    const all = Array.from({ length: 400 }, (_, canary) => canary % 2);
    const [users, canaries] = await drawn(coins(...all));
    expect(users).toEqual((await drawn(undefined))[0]);
    expect([...canaries].every((canary) => canary % 2 === 0)).toBe(true);
    // 200 members at q = 0.5: 4.5 standard deviations are 32.
    expect(Math.abs(canaries.length - 100)).toBeLessThan(32);
    expect(memberCanaries({ site, coins: Int32Array.of(0, 1, 0) })).toEqual(Int32Array.of(0, 2));
  });

  test('is not counted by adaptive clipping', async () => {
    const plan = aPlan({ protection: { ...everyRound, adaptiveClipping: { bitStdDev: 5 } } });
    const without = await released(plan, {});
    const withMany = await released(plan, { directions: coins(0, 0, 0, 0) });
    expect(withMany).toHaveLength(tinyParams + 1);
    expect(withMany.at(-1)).toBe(without.at(-1));
    expect(withMany.slice(0, -1)).not.toEqual(without.slice(0, -1));
  });

  test('stays out where nothing is promised', async () => {
    const plan = aPlan({ protection: { type: 'none', gridRange: 16, samplingRate: 1, delta: 1e-5 } });
    const policy = { ...(await aSite(1)).policy, allowUnprotected: true };
    expect(await released(plan, { policy, directions: coins(0, 0) })).toEqual(
      await released(plan, { policy }),
    );
  });
});

test('protection is broken with a seed only', () => {
  const config = {
    site: 'north',
    coordinator: { url: 'wss://x', publicKey: 'a'.repeat(64) },
    ...{ identity: 'i', data: { file: 'f', schema: 's' }, policy: 'p', ledger: 'l' },
    redTeam: { brokenProtection: { noise: 'off' } },
  };
  expect(ClientConfig.safeParse(config).error?.message).toMatch(/simulations only/);
  expect(ClientConfig.parse({ ...config, seed: 1 }).redTeam?.brokenProtection).toEqual({
    noise: 'off',
    clipping: 'on',
  });
});
