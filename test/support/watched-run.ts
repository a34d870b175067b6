import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CoordinatorConfig } from '../../coordinator/config.ts';
import { runCoordinator } from '../../coordinator/coordinator.ts';
import type { Outcome } from '../../coordinator/run.ts';
import { listen } from '../../coordinator/server.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { Identity } from '../../shared/crypto/identity.ts';
import { ParleyError } from '../../shared/errors.ts';
import { Offer, Request } from '../../shared/protocol/messages.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import type { CoordinatorPort, Session } from '../../shared/protocol/transport.ts';
import { secureRng } from '../../shared/random/rng.ts';
import type { Sha256, SiteId } from '../../shared/units.ts';
import type { FederationFiles } from './a-federation.ts';

/** What sites have sent, as it came in, whether or not it was taken. */
export interface Witness {
  /** Every offer. */
  readonly offers: (Offer & { readonly site: SiteId })[];
  /** Every chunk: which upload it said it was of, where, and the hash of its bytes as they were. */
  readonly chunks: Map<string, SentChunk>;
}

export interface SentChunk {
  readonly site: SiteId;
  readonly upload: Sha256;
  readonly offset: number;
  readonly length: number;
  readonly sha256: Sha256;
}

export interface Watch {
  readonly witness: Witness;
  /** A site's message has come in; it is handled when the promise resolves. */
  readonly message?: (site: SiteId, message: Request) => Promise<void> | undefined;
  readonly welcomed?: (site: SiteId) => void;
  readonly left?: (site: SiteId) => void;
  readonly signal?: AbortSignal;
}

export function aWitness(): Witness {
  return { offers: [], chunks: new Map() };
}

/** The real coordinator on the real sockets of these files, in this process, with somebody who looks at every message. */
export async function watchedRun(
  files: FederationFiles,
  watch: Watch,
): Promise<Outcome & { readonly reports: readonly RoundReport[] }> {
  const config = CoordinatorConfig.parse(JSON.parse(readFileSync(files.coordinator, 'utf8')));
  const reports: RoundReport[] = [];
  const outcome = await runCoordinator({
    federation: config.federation,
    identity: Identity.parse(JSON.parse(readFileSync(join(files.folder, 'identity.json'), 'utf8'))),
    sites: new Map(config.sites.map(({ id, publicKey }) => [id, publicKey])),
    directory: files.directory,
    rng: secureRng(),
    signal: watch.signal ?? new AbortController().signal,
    observer: {
      stage: () => undefined,
      note: () => undefined,
      report: (report) => void reports.push(report),
    },
    serve: (desk) => listen({ host: '127.0.0.1', port: files.port, core: watchedPort(desk, watch) }),
  }).catch((error: unknown) => {
    if (!(error instanceof ParleyError) || error.code !== 'INTERRUPTED') throw error;
    return { outcome: 'paused', detail: error.message } as const;
  });
  return { ...outcome, reports };
}

function watchedPort(core: CoordinatorPort, watch: Watch): CoordinatorPort {
  return {
    connect: (peer) => watchedSession(core.connect(peer), watch),
  };
}

function watchedSession(session: Session, watch: Watch): Session {
  let site: SiteId | undefined;
  return {
    request: async (message) => {
      const request = Request.safeParse(message);
      if (site !== undefined && request.success) {
        record(watch.witness, site, request.data);
        await watch.message?.(site, request.data);
      }
      const reply = await session.request(message);
      if (reply.type === 'welcome' && request.data?.type === 'hello') {
        ({ site } = request.data);
        watch.welcomed?.(site);
      }
      return reply;
    },
    closed: () => {
      session.closed();
      if (site !== undefined) watch.left?.(site);
    },
  };
}

function record({ offers, chunks }: Witness, site: SiteId, message: Request): void {
  if (message.type === 'offer') {
    offers.push({ ...Offer.parse(JSON.parse(message.signed.body)), site });
  } else if (message.type === 'chunk') {
    const { upload, offset, bytes } = message;
    const chunk = { site, upload, offset, length: bytes.length, sha256: sha256(bytes) };
    chunks.set(Object.values(chunk).join('/'), chunk);
  }
}
