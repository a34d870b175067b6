import { createServer, type Server, type ServerOptions } from 'node:https';
import { ParleyError } from '../shared/errors.ts';

/**
 * An HTTPS server by a certificate chain and private key, PEM; TLS 1.3 only.
 *
 * @throws CONFIG_INVALID for what is no certificate or key, or where the two do not belong together.
 */
export function createTlsServer(
  tls: { readonly cert: string; readonly key: string },
  options: ServerOptions = {},
): Server {
  try {
    return createServer({ ...options, ...tls, minVersion: 'TLSv1.3' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'CONFIG_INVALID',
      `listen.tls: the certificate and key cannot be used (${reason}): give a PEM certificate chain and the private key of its first certificate`,
      { cause },
    );
  }
}
