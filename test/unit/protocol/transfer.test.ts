import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fetchBlob, type Requester, upload } from '../../../client/transfer.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { identityFrom } from '../../../shared/crypto/identity.ts';
import { ParleyError } from '../../../shared/errors.ts';
import { chunkBytes, type Receipt, type Reply, type Request } from '../../../shared/protocol/messages.ts';
import { sealed } from '../../../shared/protocol/signed.ts';
import { RoundIndex, RunId, SiteId } from '../../../shared/units.ts';
import { position } from '../../support/ledger-positions.ts';
import { withCode } from '../../support/with-code.ts';

const bytes = Uint8Array.from({ length: chunkBytes + 100 }, (_, i) => i % 251);
const hash = sha256(bytes);
const wanted = { sha256: hash, sizeBytes: bytes.length };
const coordinator = identityFrom(new Uint8Array(32).fill(3));
const about = { run: RunId.parse('r'), round: RoundIndex.parse(0), stage: 'update' } as const;
const [site, ledger] = [SiteId.parse('alpha'), position(4)];
const upload1 = {
  site,
  identity: identityFrom(new Uint8Array(32).fill(4)),
  coordinatorKey: coordinator.publicKey,
  about: { ...about, ledger },
  bytes,
};

/** The receipt for that upload, or something else. */
const receipt = (change: Partial<Receipt> = {}, signer = coordinator) =>
  sealed(signer, 'receipt', { ...about, site, sha256: hash, ledger, ...change });
const accepted: Reply = { type: 'accepted', receipt: receipt() };

/** A coordinator that answers as told; undefined loses the connection. */
function coordinatorThat(
  reply: (message: Request, count: number) => Reply | undefined,
): Requester & { asked: Request[] } {
  const asked: Request[] = [];
  return {
    asked,
    request: (message) => {
      asked.push(message);
      const answer = reply(message, asked.length - 1);
      if (answer) return Promise.resolve(answer);
      return Promise.reject(new ParleyError('CONNECTION_LOST', 'by the test'));
    },
    reconnected: () => Promise.resolve(),
  };
}

const pieceAt = (offset: number, change: Partial<Extract<Reply, { type: 'piece' }>> = {}): Reply => {
  const [part, prefix] = [bytes.slice(offset, offset + chunkBytes), bytes.slice(0, offset + chunkBytes)];
  const totalBytes = bytes.length;
  return { type: 'piece', offset, totalBytes, prefixSha256: sha256(prefix), bytes: part, ...change };
};
const pieceFor = (message: Request): Reply => pieceAt(message.type === 'fetch' ? message.offset : NaN);

describe('fetching', () => {
  test('arrives whole however often the connection is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), async (losses) => {
        const coordinator = coordinatorThat((message, n) => (losses[n] ? undefined : pieceFor(message)));
        expect(sha256(await fetchBlob(coordinator, wanted))).toBe(hash);
      }),
      { numRuns: 10 },
    );
  });

  test.each([
    ['more bytes than the plan says', { totalBytes: 2 ** 50 }, 'MODEL_HASH_MISMATCH'],
    ['fewer bytes than the plan says', { totalBytes: 1 }, 'MODEL_HASH_MISMATCH'],
    ['another piece than asked for', { offset: 1 }, 'MESSAGE_INVALID'],
  ])('%s are refused at the first piece', async (_name, change, code) => {
    const coordinator = coordinatorThat(() => pieceAt(0, change));
    await expect(fetchBlob(coordinator, wanted)).rejects.toThrow(withCode(code));
    expect(coordinator.asked).toHaveLength(1);
  });

  test('a piece that runs over the end is refused', async () => {
    const coordinator = coordinatorThat((message, n) =>
      n === 0 ? pieceFor(message) : pieceAt(0, { offset: chunkBytes }),
    );
    await expect(fetchBlob(coordinator, wanted)).rejects.toThrow(withCode('MESSAGE_INVALID'));
  });

  test('a broken piece is asked for again, but not for ever', async () => {
    const broken = pieceAt(0, { prefixSha256: sha256('other') });
    const recovering = coordinatorThat((message, n) => (n < 3 ? broken : pieceFor(message)));
    expect(sha256(await fetchBlob(recovering, wanted))).toBe(hash);
    const hopeless = coordinatorThat(() => broken);
    await expect(fetchBlob(hopeless, wanted)).rejects.toThrow(withCode('CORRUPT_CHUNK'));
    expect(hopeless.asked.length).toBeLessThan(20);
  });

  test('another model of the same size is MODEL_HASH_MISMATCH, though each piece is sound', async () => {
    const other = { ...wanted, sha256: sha256('another model') };
    await expect(fetchBlob(coordinatorThat(pieceFor), other)).rejects.toThrow(
      withCode('MODEL_HASH_MISMATCH'),
    );
  });

  test('a refusal and a reply to something else come out as errors', async () => {
    const refused = coordinatorThat(() => ({ type: 'refused', code: 'UNKNOWN_BLOB', detail: 'no' }));
    await expect(fetchBlob(refused, wanted)).rejects.toThrow(withCode('UNKNOWN_BLOB'));
    const confused = coordinatorThat(() => ({ type: 'accepted' }));
    await expect(fetchBlob(confused, wanted)).rejects.toThrow(withCode('MESSAGE_INVALID'));
  });

  test('when there will be no connection any more, it ends', async () => {
    const gone = {
      ...coordinatorThat(() => undefined),
      reconnected: () => Promise.reject(new ParleyError('INTERRUPTED', 'x')),
    };
    await expect(fetchBlob(gone, wanted)).rejects.toThrow(withCode('INTERRUPTED'));
  });
});

describe('uploading', () => {
  test('sends each chunk once, where the coordinator says', async () => {
    const coordinator = coordinatorThat((message) => {
      if (message.type !== 'chunk') return { type: 'proceed', offset: 0 };
      const end = message.offset + message.bytes.length;
      return end === bytes.length ? accepted : { type: 'proceed', offset: end };
    });
    const points: string[] = [];
    const mark = (point: string): void => void points.push(point);
    expect(await upload(coordinator, { ...upload1, mark })).toEqual(receipt());
    expect(points).toEqual(['offered', 'half-sent', 'sent']);
    expect(coordinator.asked.map(({ type }) => type)).toEqual(['offer', 'chunk', 'chunk']);
    for (const message of coordinator.asked)
      if (message.type === 'chunk') expect(message.bytes.buffer.byteLength).toBe(message.bytes.length);
  });

  test('a chunk that arrives broken is sent again, but not for ever', async () => {
    const corrupt: Reply = { type: 'refused', code: 'CORRUPT_CHUNK', detail: 'broken' };
    let left = 3;
    const recovering = coordinatorThat((message) => {
      if (message.type !== 'chunk') return { type: 'proceed', offset: chunkBytes };
      return left-- > 0 ? corrupt : accepted;
    });
    await upload(recovering, upload1);
    const hopeless = coordinatorThat(({ type }) =>
      type === 'chunk' ? corrupt : { type: 'proceed', offset: 0 },
    );
    await expect(upload(hopeless, upload1)).rejects.toThrow(withCode('CORRUPT_CHUNK'));
    expect(hopeless.asked.length).toBeLessThan(40);
  });

  test('a coordinator that keeps asking for the same byte, or goes back and forth, is given up', async () => {
    const stuck = coordinatorThat(() => ({ type: 'proceed', offset: 0 }));
    await expect(upload(stuck, upload1)).rejects.toThrow(withCode('CORRUPT_CHUNK'));
    const swinging = coordinatorThat((_message, n) => ({ type: 'proceed', offset: n % 2 }));
    await expect(upload(swinging, upload1)).rejects.toThrow(withCode('CORRUPT_CHUNK'));
    expect(stuck.asked.length + swinging.asked.length).toBeLessThan(60);
  });

  test('an offset past the end is MESSAGE_INVALID', async () => {
    const lost = coordinatorThat(() => ({ type: 'proceed', offset: bytes.length }));
    await expect(upload(lost, upload1)).rejects.toThrow(withCode('MESSAGE_INVALID'));
  });

  test('signs one offer, however often the connection is lost', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), async (losses) => {
        const coordinator = coordinatorThat((message, n) => {
          if (losses[n]) return undefined;
          return message.type === 'offer' ? { type: 'proceed', offset: chunkBytes } : accepted;
        });
        expect(await upload(coordinator, upload1)).toEqual(receipt());
        const offers = coordinator.asked.filter(({ type }) => type === 'offer');
        expect(new Set(offers.map((offer) => JSON.stringify(offer))).size).toBe(1);
      }),
      { numRuns: 10 },
    );
  });

  const stranger = identityFrom(new Uint8Array(32).fill(9));
  test.each<[string, string, Reply]>([
    ['no receipt', 'MESSAGE_INVALID', { type: 'accepted' }],
    ["a stranger's", 'BAD_SIGNATURE', { type: 'accepted', receipt: receipt({}, stranger) }],
    ['one for another round', 'MESSAGE_INVALID', acceptedWith({ round: RoundIndex.parse(1) })],
    ['one for another run', 'MESSAGE_INVALID', acceptedWith({ run: RunId.parse('s') })],
    ['one for another site', 'MESSAGE_INVALID', acceptedWith({ site: SiteId.parse('beta') })],
    ['one for another stage', 'MESSAGE_INVALID', acceptedWith({ stage: 'signals' })],
    ['one for other bytes', 'MESSAGE_INVALID', acceptedWith({ sha256: sha256('other') })],
  ])('accepted with %s is %s', async (_what, code, reply) => {
    await expect(
      upload(
        coordinatorThat(() => reply),
        upload1,
      ),
    ).rejects.toThrow(withCode(code));
  });

  test.each(['EQUIVOCATION', 'STALE_ROUND', 'WRONG_SHAPE', 'LEDGER_ROLLBACK'] as const)(
    '%s surfaces',
    async (code) => {
      const refusing = coordinatorThat(() => ({ type: 'refused', code, detail: 'no' }));
      await expect(upload(refusing, upload1)).rejects.toThrow(withCode(code));
    },
  );
});

function acceptedWith(change: Partial<Receipt>): Reply {
  return { type: 'accepted', receipt: receipt(change) };
}
