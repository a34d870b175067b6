import { randomBytes } from 'node:crypto';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { ParleyError } from '../shared/errors.ts';
import { type Challenge, helloTo, isWelcomeGenuine } from '../shared/protocol/handshake.ts';
import type { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import type { Reply, Request } from '../shared/protocol/messages.ts';
import type { RunId, SiteId } from '../shared/units.ts';
import type { SiteLedger } from './ledger.ts';

/** Who greets whom: the site, its key, and the coordinator's key that it got out of band. */
export interface Greeting {
  readonly site: SiteId;
  readonly identity: Identity;
  readonly coordinatorKey: PublicKey;
  /** Join this run only; any run of this coordinator when left out. */
  readonly run?: RunId | undefined;
  readonly ledger: Pick<SiteLedger, 'position' | 'holds'>;
}

/**
 * Prove who this site is, check that the other end is the coordinator, and that this site's ledger is not older than what the
 * coordinator has seen of it.
 *
 * @throws BAD_SIGNATURE when the welcome is not signed by the coordinator's key; PROTOCOL_MISMATCH, RUN_MISMATCH;
 * LEDGER_ROLLBACK when the coordinator knows a ledger of this site that is newer or has another history; UNKNOWN_KEY and whatever else the coordinator refuses with; CONNECTION_LOST.
 */
export async function greet(
  challenge: Challenge,
  greeting: Greeting,
  ask: (message: Request) => Promise<Reply>,
): Promise<RunId> {
  const { site, identity, coordinatorKey, ledger } = greeting;
  const parties = { run: greeting.run ?? challenge.run, site, coordinator: coordinatorKey };
  const nonce = randomBytes(32).toString('hex');
  const hello = helloTo(challenge, parties, identity, { nonce, ledger: ledger.position() });
  const reply = await ask(hello);
  if (reply.type === 'refused')
    throw new ParleyError(reply.code, `the coordinator refused this site: ${reply.detail}`);
  if (reply.type !== 'welcome' || !isWelcomeGenuine(reply, hello, parties, challenge))
    throw new ParleyError(
      'BAD_SIGNATURE',
      `the coordinator did not prove that it holds key ${coordinatorKey.slice(0, 16)}...: check its address and the key in this site's configuration`,
    );
  if (reply.ledger && !ledger.holds(reply.ledger)) throw rollback(site, reply.ledger, hello.ledger);
  return parties.run;
}

function rollback(site: SiteId, seen: LedgerPosition, own: LedgerPosition): ParleyError {
  return new ParleyError(
    'LEDGER_ROLLBACK',
    `the coordinator has seen the ledger of site ${site} with ${seen.length} entries up to ${seen.head}, and this ledger of ` +
      `${own.length} entries has another history: it is a restored copy that went on, or a second copy is in use. Releases are ` +
      'missing from it, and so is what they cost. Nothing was sent; bring back the newest copy of the ledger',
  );
}
