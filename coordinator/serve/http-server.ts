import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, ParleyError } from '../../shared/errors.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { isLoopback } from '../../shared/protocol/loopback.ts';
import {
  type ModelDescription,
  type PredictionRefusal,
  type PredictionReply,
  predictionPaths,
} from '../../shared/protocol/predictions.ts';
import { bound } from '../bound.ts';
import { createTlsServer } from '../tls-server.ts';

/** What the server is made of. */
export interface ServeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Certificate chain and private key, PEM. Only a loopback host may do without. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly bytesPerRequest: number;
  readonly description: ModelDescription;
  /** What answers to the caller with this key; undefined for a key that nobody has. */
  readonly predictorOf: (key: string) => ((body: unknown) => Promise<PredictionReply>) | undefined;
  /** Hears of faults of ours, which callers are not told about. */
  readonly note: (text: string) => void;
}

/** A server that listens. */
export interface Served {
  readonly port: number;
  /** Answers the requests that have come in whole, hangs up on everybody, and ends. */
  readonly close: () => Promise<void>;
}

/**
 * Put an endpoint behind HTTP: JSON in, JSON out, a key in the header `Authorization: Bearer`.
 *
 * @throws INSECURE_URL for a host beyond loopback without TLS; CONFIG_INVALID as {@link createTlsServer}; what `bound` throws.
 */
export async function serveHttp(options: ServeOptions): Promise<Served> {
  const { host, port, tls } = options;
  if (!tls && !isLoopback(host))
    throw new ParleyError(
      'INSECURE_URL',
      `answering on ${host} needs TLS, since keys and records would travel in plain: give a certificate and key, or listen on 127.0.0.1 behind a TLS proxy`,
    );
  const limits = {
    ...{ requestTimeout: 60_000, headersTimeout: 10_000 },
    ...{ keepAliveTimeout: 60_000, maxHeaderSize: 8192 },
  };
  const server = tls ? createTlsServer(tls, limits) : createServer({ ...limits });
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  const answering = new Set<ServerResponse>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answering.add(response);
    response.once('close', () => answering.delete(response));
    void reply(options, request).then(({ status, body }) => {
      send(response, status, body);
    });
  });
  const boundPort = await bound(server, port, host);
  return {
    port: boundPort,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      const whole = [...answering].filter(({ req }) => req.complete);
      await Promise.all(whole.map((response) => new Promise((resolve) => response.once('close', resolve))));
      // Else whoever connects and is silent, or sends a request without an end, would keep the server from ending.
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

interface Outcome {
  readonly status: number;
  readonly body: PredictionReply | ModelDescription | PredictionRefusal;
}

async function reply(options: ServeOptions, request: IncomingMessage): Promise<Outcome> {
  try {
    const key = /^Bearer (\S{1,200})$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const predict = options.predictorOf(key);
    if (!predict)
      throw new ParleyError(
        'NOT_AUTHENTICATED',
        'no caller has this key: send it in the header `Authorization: Bearer <key>`',
      );
    const route = `${request.method ?? ''} ${request.url ?? ''}`;
    if (route === `GET ${predictionPaths.model}`) return { status: 200, body: options.description };
    if (route !== `POST ${predictionPaths.predictions}`) return notFound();
    const text = await bodyOf(request, options.bytesPerRequest);
    return { status: 200, body: await predict(parsedJson(text)) };
  } catch (error) {
    return refusal(error, options.note);
  }
}

async function bodyOf(request: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most)
      throw new ParleyError(
        'PAYLOAD_TOO_LARGE',
        `the request is larger than ${most} bytes: send fewer records at once`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const statuses: Partial<Record<ErrorCode, number>> = {
  MESSAGE_INVALID: 400,
  NOT_AUTHENTICATED: 401,
  CALLER_BLOCKED: 403,
  PAYLOAD_TOO_LARGE: 413,
  QUERY_BUDGET_SPENT: 429,
  QUERY_LOG_CORRUPT: 503,
};

function refusal(error: unknown, note: (text: string) => void): Outcome {
  const status = error instanceof ParleyError ? statuses[error.code] : undefined;
  if (error instanceof ParleyError && status !== undefined) {
    if (status === 503) note(error.message);
    return { status, body: { error: { code: error.code, message: error.message } } };
  }
  note(error instanceof Error ? (error.stack ?? error.message) : String(error));
  const message = 'the server failed to answer; whoever runs it sees why';
  return { status: 500, body: { error: { code: 'INTERNAL', message } } };
}

function notFound(): Outcome {
  const message = `expected POST ${predictionPaths.predictions} or GET ${predictionPaths.model}`;
  return { status: 404, body: { error: { code: 'MESSAGE_INVALID', message } } };
}

/** What remains of a body that is too large is not read. The body is text, since Node writes text and headers at once. */
function send(response: ServerResponse, status: number, body: Outcome['body']): void {
  const text = `${JSON.stringify(body)}\n`;
  const monitor = 'standing' in body ? [body.standing, ...body.warnings.map(({ detector }) => detector)] : [];
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    ...(monitor.length > 0 && { 'parley-monitor': monitor.join('; ') }),
    ...(status === 413 && { connection: 'close' }),
  });
  response.end(text);
}
