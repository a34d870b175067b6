import { X509Certificate } from 'node:crypto';
import { loadText, type ReadText } from '../shared/config.ts';
import { ParleyError } from '../shared/errors.ts';

const certificates =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/**
 * The certificates that `coordinator.ca` names, as PEM text. Node's TLS would take any text and trust nothing by it.
 *
 * @throws FILE_NOT_FOUND; CONFIG_INVALID for a text without certificates, or with one that cannot be read.
 */
export function loadAuthority(file: string, readText: ReadText): string {
  const text = loadText(file, readText);
  const found = text.match(certificates) ?? [];
  if (found.length === 0) throw noAuthority(file, 'it holds no certificate');
  for (const certificate of found)
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      throw noAuthority(file, cause instanceof Error ? cause.message : String(cause), cause);
    }
  return text;
}

function noAuthority(file: string, reason: string, cause?: unknown): ParleyError {
  return new ParleyError(
    'CONFIG_INVALID',
    `${file}, which coordinator.ca names, cannot be used (${reason}): give the certificate of the authority that signed the ` +
      "coordinator's, or the coordinator's own self-made one, as PEM text that begins with -----BEGIN CERTIFICATE-----",
    { cause },
  );
}
