import { randomBytes } from 'node:crypto';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { ParleyError } from '../shared/errors.ts';
import { type Challenge, helloTo, isWelcomeGenuine } from '../shared/protocol/handshake.ts';
import type { Reply, Request } from '../shared/protocol/messages.ts';
import type { RunId, SiteId } from '../shared/units.ts';

/** Who greets whom: the site, its key, and the coordinator's key that it got out of band. */
export interface Greeting {
  readonly site: SiteId;
  readonly identity: Identity;
  readonly coordinatorKey: PublicKey;
  /** Join this run only; any run of this coordinator when left out. */
  readonly run?: RunId | undefined;
}

/**
 * Prove who this site is, and check that the other end is the coordinator.
 *
 * @throws BAD_SIGNATURE when the welcome is not signed by the coordinator's key; PROTOCOL_MISMATCH, RUN_MISMATCH; UNKNOWN_KEY
 * and whatever else the coordinator refuses with; CONNECTION_LOST.
 */
export async function greet(
  challenge: Challenge,
  greeting: Greeting,
  ask: (message: Request) => Promise<Reply>,
): Promise<RunId> {
  const { site, identity, coordinatorKey } = greeting;
  const parties = { run: greeting.run ?? challenge.run, site, coordinator: coordinatorKey };
  const nonce = randomBytes(32).toString('hex');
  const reply = await ask(helloTo(challenge, parties, identity, nonce));
  if (reply.type === 'refused')
    throw new ParleyError(reply.code, `the coordinator refused this site: ${reply.detail}`);
  if (reply.type !== 'welcome' || !isWelcomeGenuine(reply, parties, challenge, nonce))
    throw new ParleyError(
      'BAD_SIGNATURE',
      `the coordinator did not prove that it holds key ${coordinatorKey.slice(0, 16)}...: check its address and the key in this site's configuration`,
    );
  return parties.run;
}
