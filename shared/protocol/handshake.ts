import { type Identity, type PublicKey, sign, verify } from '../crypto/identity.ts';
import { ParleyError } from '../errors.ts';
import type { RunId, SiteId } from '../units.ts';
import type { Notice, Reply, Request } from './messages.ts';
import { protocolVersion } from './plan.ts';

/**
 * How both sides prove who they are at the start of a connection. Each signs both fresh nonces, so neither signature is
 * worth anything on another connection, and the coordinator's key, so a site's hello cannot be passed on to another one.
 */

export type Challenge = Extract<Notice, { type: 'challenge' }>;
export type Hello = Extract<Request, { type: 'hello' }>;
export type Welcome = Extract<Reply, { type: 'welcome' }>;

/** The peers of one handshake, as each side knows them beforehand. */
export interface Parties {
  readonly run: RunId;
  readonly site: SiteId;
  /** The coordinator's key, which the site got out of band. */
  readonly coordinator: PublicKey;
}

/**
 * A site's answer to the challenge of the run it means to join; `nonce` is 32 fresh bytes in hexadecimal.
 *
 * @throws PROTOCOL_MISMATCH or RUN_MISMATCH when the coordinator speaks another version or leads another run.
 */
export function helloTo(challenge: Challenge, parties: Parties, identity: Identity, nonce: string): Hello {
  if (challenge.protocolVersion !== protocolVersion)
    throw new ParleyError(
      'PROTOCOL_MISMATCH',
      `the coordinator speaks protocol version ${challenge.protocolVersion}, this site ${protocolVersion}: install the same release`,
    );
  if (challenge.run !== parties.run)
    throw new ParleyError(
      'RUN_MISMATCH',
      `the coordinator leads run ${challenge.run}, this site was set up for ${parties.run}`,
    );
  const signature = sign(identity, 'hello', transcript(parties, challenge.nonce, nonce));
  return {
    type: 'hello',
    protocolVersion,
    site: parties.site,
    publicKey: identity.publicKey,
    nonce,
    signature,
  };
}

/** Whether a hello was signed by its key, for this coordinator and this connection's challenge. */
export function isHelloGenuine(hello: Hello, parties: Parties, challengeNonce: string): boolean {
  const fields = transcript(parties, challengeNonce, hello.nonce);
  return verify(hello.publicKey, 'hello', fields, hello.signature);
}

/** The coordinator's proof of its own identity in reply to a genuine hello. */
export function welcomeTo(
  hello: Hello,
  parties: Parties,
  identity: Identity,
  challengeNonce: string,
): Welcome {
  const fields = transcript(parties, challengeNonce, hello.nonce);
  return { type: 'welcome', signature: sign(identity, 'welcome', fields) };
}

/** Whether a welcome was signed by the coordinator's key over this connection's nonces. */
export function isWelcomeGenuine(
  welcome: Welcome,
  parties: Parties,
  challenge: Challenge,
  nonce: string,
): boolean {
  const fields = transcript(parties, challenge.nonce, nonce);
  return verify(parties.coordinator, 'welcome', fields, welcome.signature);
}

function transcript(parties: Parties, challengeNonce: string, helloNonce: string): string[] {
  return [`${protocolVersion}`, parties.run, parties.site, parties.coordinator, challengeNonce, helloNonce];
}
