import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LedgerRecord } from '../../../client/ledger-chain.ts';
import { packUsers, type UserWeights, unpackUsers } from '../../../client/ledger-users.ts';
import { userSpending } from '../../../client/user-spending.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import { MechanismEvent, withNoiseTimes } from '../../../shared/privacy/accounting/event.ts';
import { Delta, RoundIndex, RunId, type Sha256 } from '../../../shared/units.ts';
import { aLedger, run } from '../../support/a-site.ts';
import { alterLedger } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const delta = Delta.parse(1e-5);
const gaussian = MechanismEvent.parse({ type: 'gaussian', noiseMultiplier: 4 });
const sampled = MechanismEvent.parse({
  type: 'poisson-subsampled-gaussian',
  noiseMultiplier: 2,
  samplingRate: 0.25,
});
const matrix = { coefficients: [1, 0.5], rounds: 3, minSeparation: 2, maxParticipations: 2 };
const first = MechanismEvent.parse({ type: 'banded-matrix', noiseMultiplier: 5, matrix });
const step = MechanismEvent.parse({ type: 'banded-matrix-step', noiseMultiplier: 5, matrix });

type Weights = Readonly<Record<string, number>>;
type Round = readonly [MechanismEvent, Weights | undefined];

/** Spending after these releases; users of each by name with their weights, or nobody named. */
async function after(...rounds: readonly Round[]): ReturnType<typeof userSpending> {
  const lists = new Map<Sha256, UserWeights>();
  const records = rounds.map(([event, users], index): LedgerRecord => {
    const packed = users && packUsers({ userIds: Object.keys(users), weights: Object.values(users) });
    if (packed) lists.set(packed.sha256, unpackUsers(packed.bytes)!);
    return {
      ...{ run, round: RoundIndex.parse(index), timeMs: index, planSha256: sha256('plan'), event },
      ...{ releaseSha256: sha256('bytes'), noiseStateSha256: undefined, usersSha256: packed?.sha256 },
    };
  });
  const entries = records.map(({ event }) => ({ event, count: 1 }));
  const users = (hash: Sha256): Promise<UserWeights> => Promise.resolve(lists.get(hash)!);
  return userSpending({ records: () => records, entries: () => entries, users }, delta);
}

const epsilon = (...events: readonly MechanismEvent[]): number =>
  reportedEpsilon(
    events.map((event) => ({ event, count: 1 })),
    delta,
  );

describe('what releases cost the users of a site', () => {
  test('nothing, where there are none', async () => {
    expect(await after()).toEqual({ wholeSite: 0, unlistedReleases: 0, groups: [] });
  });

  test('a user pays for the rounds that she could have been in, with the noise that her weight leaves', async () => {
    const spending = await after(
      [gaussian, { ann: 1, ben: 0.5, cy: 0.5 }],
      [gaussian, { ann: 1, ben: 0.5 }],
      [sampled, { ann: 1, dee: 0.25 }],
    );
    const half = withNoiseTimes(gaussian, 2);
    expect(spending.wholeSite).toBe(epsilon(gaussian, gaussian, sampled));
    expect(spending.groups).toEqual(
      [
        { numUsers: 1, epsilon: epsilon(gaussian, gaussian, sampled), releases: 3, leastWeight: 1 },
        { numUsers: 1, epsilon: epsilon(half, half), releases: 2, leastWeight: 0.5 },
        { numUsers: 1, epsilon: epsilon(half), releases: 1, leastWeight: 0.5 },
        { numUsers: 1, epsilon: epsilon(withNoiseTimes(sampled, 4)), releases: 1, leastWeight: 0.25 },
      ].sort((a, b) => b.epsilon - a.epsilon),
    );
  });

  test('nobody pays more than the whole site, and every user is in one group', async () => {
    const weight = fc.constantFrom(1, 0.5, 1 / 3);
    const users = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), weight, { minKeys: 1 });
    const round = fc.tuple(fc.constantFrom(gaussian, sampled), fc.option(users, { nil: undefined }));
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5 }), async (rounds) => {
        const { wholeSite, groups, unlistedReleases } = await after(...rounds);
        const named = new Set(rounds.flatMap(([, listed]) => Object.keys(listed ?? {})));
        expect(groups.reduce((sum, { numUsers }) => sum + numUsers, 0)).toBe(named.size);
        expect(unlistedReleases).toBe(rounds.filter(([, listed]) => !listed).length);
        for (const group of groups) {
          expect(group.epsilon).toBeLessThanOrEqual(wholeSite * (1 + 1e-12));
          expect(group.epsilon).toBeGreaterThan(0);
          expect(group.releases).toBeGreaterThanOrEqual(Math.max(1, unlistedReleases));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('releases that name nobody count for everybody at weight 1', async () => {
    const { groups, unlistedReleases } = await after([gaussian, undefined], [gaussian, { ann: 0.5 }]);
    expect(unlistedReleases).toBe(1);
    expect(groups).toEqual([
      { numUsers: 1, epsilon: epsilon(gaussian, withNoiseTimes(gaussian, 2)), releases: 2, leastWeight: 0.5 },
    ]);
  });

  test('a release without noise is infinite for those who could have been in it', async () => {
    const { groups } = await after([{ type: 'non-private' }, { ann: 1 / 4 }], [gaussian, { ben: 1 }]);
    expect(groups.map((group) => group.epsilon)).toEqual([Infinity, epsilon(gaussian)]);
  });

  test('whoever joins correlated noise late, or with less weight, pays for all of it at her largest weight', async () => {
    const { groups } = await after(
      [first, { ann: 0.5 }],
      [step, { ann: 1, ben: 0.5 }],
      [step, { ben: 0.25 }],
    );
    expect(groups).toEqual([
      { numUsers: 1, epsilon: epsilon(first), releases: 2, leastWeight: 0.5 },
      { numUsers: 1, epsilon: epsilon(withNoiseTimes(first, 2)), releases: 2, leastWeight: 0.25 },
    ]);
  });

  test('correlated noise without its first round is refused, not guessed', async () => {
    expect(await refusalOf(after([step, { ann: 1 }]))).toMatchObject({ code: 'EVENT_UNSUPPORTED' });
  });
});

describe('lists of users in a ledger', () => {
  const list = { userIds: ['ann', 'ben', 'cy'], weights: [1, 0.5, 1] };

  test('are the same whatever their order, and give users and weights back', () => {
    const weights = fc.array(fc.constantFrom(1, 0.5, 0.1), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(weights, fc.nat(20), (values, turn) => {
        const users = values.map((weight, index) => ({ id: `patient ${index}`, weight }));
        const turned = [...users.slice(turn), ...users.slice(0, turn)];
        const pack = (some: typeof users): ReturnType<typeof packUsers> =>
          packUsers({ userIds: some.map(({ id }) => id), weights: some.map(({ weight }) => weight) });
        expect(pack(turned)).toEqual(pack(users));
        const back = [...unpackUsers(pack(users).bytes)!.values()];
        expect(back.sort()).toEqual([...values].sort());
      }),
    );
  });

  test('differ with a user or a weight; without weights all have 1', () => {
    const hash = (change: Partial<typeof list>): string => packUsers({ ...list, ...change }).sha256;
    expect(hash({})).not.toBe(hash({ weights: [1, 0.25, 1] }));
    expect(hash({})).not.toBe(hash({ userIds: ['ann', 'ben', 'di'] }));
    expect(packUsers({ userIds: list.userIds })).toEqual(packUsers({ ...list, weights: [1, 1, 1] }));
    expect(unpackUsers(packUsers({ userIds: [] }).bytes)).toEqual(new Map());
  });

  test('name no user', () => {
    expect(Buffer.from(packUsers({ userIds: ['patient Miller'] }).bytes).includes('Miller')).toBe(false);
  });

  test.each([0, -1, 1.5, NaN])('refuse the weight %d', (weight) => {
    expect(() => packUsers({ userIds: ['ann'], weights: [weight] })).toThrow(RangeError);
  });

  test('cut short are no list', () => {
    const { bytes } = packUsers(list);
    const whole = [...Array(bytes.length).keys()].filter((length) => unpackUsers(bytes.subarray(0, length)));
    // Nothing at all, and up to the end of the first weight's users.
    expect(whole).toEqual([0, 12 + 32]);
  });

  test('are stored once, come back from the disk, and are refused when changed', async () => {
    const path = `${temporaryFolder()}/ledger.sqlite`;
    const ledger = await aLedger(path);
    for (const [round, users] of [list, { ...list }, { userIds: ['ann'] }].entries())
      await ledger.commit({
        ...{ run: RunId.parse('run-2'), round: RoundIndex.parse(round), planSha256: sha256('plan') },
        ...{ event: gaussian, bytes: Uint8Array.of(round), users },
      });
    const hashes = ledger.records().map(({ usersSha256 }) => usersSha256!);
    expect(hashes[0]).toBe(hashes[1]);
    expect([...(await ledger.users(hashes[0]!)).values()]).toEqual([1, 1, 0.5]);
    expect(
      (await userSpending(ledger, delta)).groups.map(({ numUsers, releases }) => [numUsers, releases]),
    ).toEqual([
      [1, 3],
      [1, 2],
      [1, 2],
    ]);
    alterLedger(path, `update users set bytes = x'00' where sha256 = '${hashes[0]}'`);
    expect(await refusalOf(userSpending(ledger, delta))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });
});
