import { sha256 } from '../../shared/crypto/encoding.ts';
import { type Identity, identityFrom } from '../../shared/crypto/identity.ts';
import { helloTo } from '../../shared/protocol/handshake.ts';
import { chunkBytes, type Offer, type Reply } from '../../shared/protocol/messages.ts';
import { protocolVersion } from '../../shared/protocol/plan.ts';
import { sealed } from '../../shared/protocol/signed.ts';
import { RoundIndex, RunId, SiteId } from '../../shared/units.ts';
import { position } from '../support/ledger-positions.ts';
import { about, type Fixture, modelHash, payload } from './fixture.ts';
import { alpha, beta, coordinator, run, type TestSite } from './site.ts';

const parties = { run, site: alpha.site, coordinator: coordinator.publicKey };
const nonce = '5'.repeat(64);
const content = { nonce, ledger: position(5) };
const stranger = identityFrom(new Uint8Array(32).fill(66));
const hash = sha256(payload);

/** Something bad that the site alpha, or somebody in its name, does; the last reply is the refusal. */
export type Attack = (site: TestSite, fixture: Fixture) => Promise<Reply>;

/** Alpha (or another identity in its connection) offers the payload, or something else. */
export const offered = (
  site: TestSite,
  change: Partial<Offer>,
  identity: Identity = alpha.identity,
): Promise<Reply> => {
  const offer = { ...about, sha256: hash, sizeBytes: payload.length, ...change };
  return site.raw({ type: 'offer', signed: sealed(identity, 'offer', offer) });
};
/** The payload's first chunk, or something else. */
export const chunk = (site: TestSite, change: Record<string, unknown> = {}): Promise<Reply> => {
  const bytes = payload.slice(0, chunkBytes);
  return site.raw({ type: 'chunk', upload: hash, offset: 0, prefixSha256: sha256(bytes), bytes, ...change });
};

/** What somebody can do without a key on the list: name, error code, attack. */
export function beforeHello(): [string, string, Attack][] {
  return [
    [
      'asking before saying hello',
      'NOT_AUTHENTICATED',
      (site) => site.raw({ type: 'fetch', sha256: modelHash, offset: 0 }),
    ],
    ['offering before saying hello', 'NOT_AUTHENTICATED', (site) => offered(site, {})],
    ['garbage before saying hello', 'NOT_AUTHENTICATED', (site) => site.raw('garbage')],
    [
      'an unknown site',
      'UNKNOWN_KEY',
      async (site) => {
        const unknown = { ...parties, site: SiteId.parse('mallory') };
        return site.raw(helloTo(await site.notice('challenge'), unknown, stranger, content));
      },
    ],
    [
      'a known site with another key',
      'UNKNOWN_KEY',
      async (site) => site.raw(helloTo(await site.notice('challenge'), parties, stranger, content)),
    ],
    [
      "a known key without its secret, signed by a stranger's",
      'BAD_SIGNATURE',
      async (site) => {
        const hello = helloTo(await site.notice('challenge'), parties, stranger, content);
        return site.raw({ ...hello, publicKey: alpha.identity.publicKey });
      },
    ],
    [
      'a hello replayed from another connection',
      'BAD_SIGNATURE',
      async (site, fixture) => {
        const other = fixture.join({ ...alpha, silent: true });
        return site.raw(helloTo(await other.notice('challenge'), parties, alpha.identity, content));
      },
    ],
    [
      'a hello meant for another coordinator',
      'BAD_SIGNATURE',
      async (site) => {
        const elsewhere = { ...parties, coordinator: stranger.publicKey };
        return site.raw(helloTo(await site.notice('challenge'), elsewhere, alpha.identity, content));
      },
    ],
    [
      'a hello in a later version, with fields that this one does not know',
      'PROTOCOL_MISMATCH',
      async (site) => {
        const hello = helloTo(await site.notice('challenge'), parties, alpha.identity, content);
        return site.raw({ ...hello, protocolVersion: protocolVersion + 1, proof: { of: 'something' } });
      },
    ],
    ['a misshapen hello', 'MESSAGE_INVALID', (site) => site.raw({ type: 'hello', protocolVersion })],
  ];
}

/** What a site with a key on the list can do. */
export function afterHello(): [string, string, Attack][] {
  return [
    ['no message', 'MESSAGE_INVALID', (site) => site.raw(null)],
    ['a number', 'MESSAGE_INVALID', (site) => site.raw(17)],
    ['an unknown type', 'MESSAGE_INVALID', (site) => site.raw({ type: 'shutdown' })],
    [
      'a field too many',
      'MESSAGE_INVALID',
      (site) => site.raw({ type: 'fetch', sha256: modelHash, offset: 0, admin: true }),
    ],
    [
      'an own __proto__',
      'MESSAGE_INVALID',
      (site) =>
        site.raw(
          JSON.parse(`{"type":"fetch","sha256":"${modelHash}","offset":0,"__proto__":{"admin":true}}`),
        ),
    ],
    [
      'a type hidden in __proto__',
      'MESSAGE_INVALID',
      (site) => site.raw(JSON.parse('{"__proto__":{"type":"offer"}}')),
    ],
    ['bytes where a word belongs', 'MESSAGE_INVALID', (site) => site.raw({ type: new Uint8Array(8) })],
    [
      'many binary attachments',
      'MESSAGE_INVALID',
      (site) => site.raw({ type: 'chunk', bytes: Array.from({ length: 9 }, () => new Uint8Array(8)) }),
    ],
    ['a text for bytes', 'MESSAGE_INVALID', (site) => chunk(site, { bytes: 'AAAA' })],
    ['an empty chunk', 'MESSAGE_INVALID', (site) => chunk(site, { bytes: new Uint8Array(0) })],
    [
      'a chunk that is too long',
      'MESSAGE_INVALID',
      (site) => chunk(site, { bytes: new Uint8Array(chunkBytes + 1) }),
    ],
    ['a negative offset', 'MESSAGE_INVALID', (site) => chunk(site, { offset: -1 })],
    ['an infinite offset', 'MESSAGE_INVALID', (site) => chunk(site, { offset: 1e308 })],
    [
      'a piece past the end',
      'MESSAGE_INVALID',
      (site) => site.raw({ type: 'fetch', sha256: modelHash, offset: 2 ** 40 }),
    ],
    [
      'a model that does not exist',
      'UNKNOWN_BLOB',
      (site) => site.raw({ type: 'fetch', sha256: hash, offset: 0 }),
    ],
    [
      'another hello in another name',
      'UNKNOWN_KEY',
      (site) =>
        site.raw({
          type: 'hello',
          protocolVersion,
          site: 'mallory',
          publicKey: stranger.publicKey,
          nonce,
          ledger: position(5),
          signature: '0'.repeat(128),
        }),
    ],
    ["an offer in somebody's name", 'BAD_SIGNATURE', (site) => offered(site, {}, beta.identity)],
    [
      'an offer signed as a decline',
      'BAD_SIGNATURE',
      (site) =>
        site.raw({
          type: 'offer',
          signed: sealed(alpha.identity, 'decline', { ...about, sha256: hash, sizeBytes: 1 }),
        }),
    ],
    ['a signed offer of nothing', 'MESSAGE_INVALID', (site) => offered(site, { sizeBytes: 0 })],
    ['an earlier round', 'STALE_ROUND', (site) => offered(site, { round: RoundIndex.parse(2) })],
    ['a later round', 'STALE_ROUND', (site) => offered(site, { round: RoundIndex.parse(4) })],
    ['another run', 'STALE_ROUND', (site) => offered(site, { run: RunId.parse('run-0') })],
    ['a stage that is not asked for', 'STALE_ROUND', (site) => offered(site, { stage: 'signals' })],
    ['a chunk that was never offered', 'STALE_ROUND', (site) => chunk(site)],
    ['one byte too many', 'PAYLOAD_TOO_LARGE', (site) => offered(site, { sizeBytes: payload.length + 1 })],
    ['too few bytes for the shape', 'WRONG_SHAPE', (site) => offered(site, { sizeBytes: 999 })],
    [
      'another hash in the same size, while an upload is under way',
      'EQUIVOCATION',
      async (site) => {
        await offered(site, {});
        return offered(site, { sha256: modelHash });
      },
    ],
    [
      'the same hash in another size',
      'EQUIVOCATION',
      async (site) => {
        await offered(site, {});
        return offered(site, { sizeBytes: payload.length - 1 });
      },
    ],
    [
      'a chunk past the size offered',
      'PAYLOAD_TOO_LARGE',
      async (site) => {
        await offered(site, { sizeBytes: chunkBytes + 1 });
        await chunk(site);
        return chunk(site, { offset: chunkBytes });
      },
    ],
    [
      'a corrupt chunk',
      'CORRUPT_CHUNK',
      async (site) => {
        await offered(site, {});
        return chunk(site, { bytes: new Uint8Array(chunkBytes) });
      },
    ],
    [
      'a chunk with its own hash in the place of that of all so far',
      'CORRUPT_CHUNK',
      async (site) => {
        await offered(site, {});
        await chunk(site);
        const bytes = payload.slice(chunkBytes, 2 * chunkBytes);
        return chunk(site, { offset: chunkBytes, bytes, prefixSha256: sha256(bytes) });
      },
    ],
    [
      'an upload whose whole hash is wrong',
      'CORRUPT_CHUNK',
      async (site) => {
        await offered(site, { sizeBytes: chunkBytes });
        return chunk(site);
      },
    ],
  ];
}
