import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Identity, identityFrom } from '../shared/crypto/identity.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Rng } from '../shared/random/rng.ts';

/**
 * Make a key pair where it will be used and write it to a file that only its owner can read. An existing key is never
 * overwritten: a site that loses its key is unknown to its coordinator.
 *
 * @throws CONFIG_INVALID when the file exists already.
 */
export function createIdentity(file: string, rng: Rng): Identity {
  if (existsSync(file))
    throw new ParleyError(
      'CONFIG_INVALID',
      `${file} exists already: a key is never overwritten, give another path`,
    );
  const identity = identityFrom(rng.bytes(32));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(identity, null, 2)}\n`, { mode: 0o600 });
  return identity;
}
