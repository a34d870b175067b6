import { type Identity, type PublicKey, sign, verify } from '../crypto/identity.ts';
import { ParleyError } from '../errors.ts';
import type { RunId, SiteId } from '../units.ts';
import type { LedgerPosition } from './ledger-position.ts';
import type { Notice, Reply, Request } from './messages.ts';
import { protocolVersion } from './plan.ts';

/**
 * How both sides prove who they are at the start of a connection, and compare what they know of the site's ledger. Each signs
 * both fresh nonces, so neither signature is worth anything on another connection, and the coordinator's key, so a site's
 * hello cannot be passed on to another one.
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

/** What a site brings to one handshake: 32 fresh bytes in hexadecimal, and how far its ledger has come. */
export interface HelloContent {
  readonly nonce: string;
  readonly ledger: LedgerPosition;
}

/**
 * A site's answer to the challenge of the run it means to join.
 *
 * @throws PROTOCOL_MISMATCH or RUN_MISMATCH when the coordinator speaks another version or leads another run.
 */
export function helloTo(
  challenge: Challenge,
  parties: Parties,
  identity: Identity,
  { nonce, ledger }: HelloContent,
): Hello {
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
  const fields = transcript(parties, challenge.nonce, { nonce, ledger });
  return {
    type: 'hello',
    protocolVersion,
    site: parties.site,
    publicKey: identity.publicKey,
    nonce,
    ledger,
    signature: sign(identity, 'hello', fields),
  };
}

/** Whether a hello was signed by its key, for this coordinator and this connection's challenge. */
export function isHelloGenuine(hello: Hello, parties: Parties, challengeNonce: string): boolean {
  return verify(hello.publicKey, 'hello', transcript(parties, challengeNonce, hello), hello.signature);
}

/** What the coordinator replies to: the challenge that it had sent, and the newest ledger position it has seen of the site. */
export interface WelcomeContent {
  readonly challengeNonce: string;
  readonly ledger: LedgerPosition | null;
}

/** The coordinator's proof of its own identity in reply to a genuine hello. */
export function welcomeTo(
  hello: Hello,
  parties: Parties,
  identity: Identity,
  { challengeNonce, ledger }: WelcomeContent,
): Welcome {
  const fields = [...transcript(parties, challengeNonce, hello), ...seen(ledger)];
  return { type: 'welcome', ledger, signature: sign(identity, 'welcome', fields) };
}

/** Whether a welcome was signed by the coordinator's key, in reply to this hello on this connection. */
export function isWelcomeGenuine(
  welcome: Welcome,
  hello: Hello,
  parties: Parties,
  challenge: Challenge,
): boolean {
  const fields = [...transcript(parties, challenge.nonce, hello), ...seen(welcome.ledger)];
  return verify(parties.coordinator, 'welcome', fields, welcome.signature);
}

function transcript(parties: Parties, challengeNonce: string, { nonce, ledger }: HelloContent): string[] {
  const { run, site, coordinator } = parties;
  return [
    String(protocolVersion),
    ...[run, site, coordinator, challengeNonce, nonce],
    ...[String(ledger.length), ledger.head],
  ];
}

function seen(ledger: LedgerPosition | null): string[] {
  return ledger ? [String(ledger.length), ledger.head] : [];
}
