import { z } from 'zod';
import { type ErrorCode, errorCodes, ParleyError } from '../../../shared/errors.ts';
import { parsedJson } from '../../../shared/protocol/json.ts';
import { isLoopback } from '../../../shared/protocol/loopback.ts';
import { PredictionRefusal, PredictionReply, predictionPaths } from '../../../shared/protocol/predictions.ts';

/** What an endpoint gave of one record. */
export interface GivenAnswer {
  readonly label: number;
  /** Shape (numClasses,). */
  readonly probabilities: Float64Array;
}

/** What the endpoint has said of this caller so far. */
export interface Heard {
  /** Records asked about. */
  readonly asked: number;
  /** `fine`, `warned`, `hardened` or `blocked`. */
  readonly standing: string;
  /** Detectors that noticed something, and after how many records. */
  readonly alarms: readonly { readonly detector: string; readonly after: number }[];
}

/** An endpoint as a caller sees it. */
export interface Asking {
  /**
   * Answers to records, in order.
   *
   * @throws what the endpoint refuses with, such as CALLER_BLOCKED or QUERY_BUDGET_SPENT; DATA_VALUE_INVALID for a record that it
   * cannot read; CONNECTION_LOST; PROTOCOL_MISMATCH for other bodies than those of `parley serve`.
   */
  readonly ask: (records: readonly Readonly<Record<string, string>>[]) => Promise<GivenAnswer[]>;
  readonly heard: () => Heard;
}

const recordsAtOnce = 50;

/**
 * An endpoint at a URL, asked with a key.
 *
 * @throws CONFIG_INVALID for a URL that is none; INSECURE_URL for plain HTTP beyond loopback.
 */
export function openAsking(url: string, key: string): Asking {
  const target = z.url({ protocol: /^https?$/ }).safeParse(url);
  if (!target.success)
    throw new ParleyError('CONFIG_INVALID', `${url} is no address of an endpoint: give http(s)://host:port`);
  const address = new URL(predictionPaths.predictions, target.data);
  if (address.protocol === 'http:' && !isLoopback(address.hostname))
    throw new ParleyError('INSECURE_URL', `${url} would send key and records in plain: use https://`);
  let heard: Heard = { asked: 0, standing: 'fine', alarms: [] };
  const askSome = async (records: readonly Readonly<Record<string, string>>[]): Promise<GivenAnswer[]> => {
    const reply = await post(address, key, { records }).catch((error: unknown) => {
      if (error instanceof ParleyError && error.code === 'CALLER_BLOCKED')
        heard = { ...heard, asked: heard.asked + records.length, standing: 'blocked' };
      throw error;
    });
    const asked = heard.asked + records.length;
    const alarms = reply.warnings.map(({ detector }) => ({ detector, after: asked }));
    heard = { asked, standing: reply.standing, alarms: [...heard.alarms, ...alarms] };
    return reply.answers.map(given);
  };
  return {
    heard: () => heard,
    ask: async (records) => {
      const answers: GivenAnswer[] = [];
      for (let start = 0; start < records.length; start += recordsAtOnce)
        answers.push(...(await askSome(records.slice(start, start + recordsAtOnce))));
      return answers;
    },
  };
}

async function post(address: URL, key: string, body: unknown): Promise<PredictionReply> {
  // A kept connection that the other side has given up meanwhile fails at once; a fresh one need not.
  const response = await send(address, key, body).catch(() => send(address, key, body));
  const value = parsedJson(await response.text());
  const reply = PredictionReply.safeParse(value);
  if (response.ok && reply.success) return reply.data;
  const refusal = PredictionRefusal.safeParse(value);
  if (refusal.success && isErrorCode(refusal.data.error.code))
    throw new ParleyError(refusal.data.error.code, `${address.origin}: ${refusal.data.error.message}`);
  throw new ParleyError(
    'PROTOCOL_MISMATCH',
    `${address.origin} answered ${response.status} with something else than \`parley serve\` does: check the address, and that both have one version`,
  );
}

async function send(address: URL, key: string, body: unknown): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  try {
    return await fetch(address, { method: 'POST', headers, body: JSON.stringify(body) });
  } catch (cause) {
    throw new ParleyError(
      'CONNECTION_LOST',
      `${address.origin} does not answer (${reasonOf(cause)}): is \`parley serve\` running there?`,
      { cause },
    );
  }
}

/** `fetch` hides what happened in the error's own cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function given(answer: PredictionReply['answers'][number], index: number): GivenAnswer {
  if ('error' in answer)
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `the endpoint cannot read record ${index} of a request, field ${answer.error.field}: ${answer.error.message}; give the schema ` +
        'that the model was trained with',
    );
  return { label: answer.label, probabilities: Float64Array.from(answer.probabilities) };
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
