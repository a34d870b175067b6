import { createHmac } from 'node:crypto';
import { type Answer, answerOf } from '../../shared/model/hardening/answer.ts';
import { type Hardening, hardened } from '../../shared/model/hardening/hardening.ts';
import { keyedRng, type Rng } from '../../shared/random/rng.ts';
import { derivedKey } from './monitor/sketch.ts';

/** Hardens the answer to the record of this digest. */
export type Harden = (answer: Answer, digest: Uint8Array) => Answer;

/**
 * The hardening of answers under a secret of 32 bytes. Noise and coins come from the record's digest, so that the same record
 * always gets the same answer, whoever asks; and from the steps themselves, so that answers under two settings have independent
 * noise, whose size cannot be solved for.
 */
export function hardenerOf(steps: Hardening, secret: Uint8Array): Harden {
  const key = derivedKey(secret, `answers ${JSON.stringify(steps)}`);
  // Most steps draw nothing, and a stream costs more than they do.
  const draws = steps.some(({ type }) => type === 'output-noise' || type === 'memguard');
  const unread = keyedRng(key);
  const streamOf = (digest: Uint8Array): Rng => keyedRng(createHmac('sha256', key).update(digest).digest());
  return (answer, digest) => hardened(answer, steps, draws ? streamOf(digest) : unread);
}

/** The model's own answers, from logits of shape (numRecords, numClasses). */
export function answersOf(logits: Float64Array, numClasses: number): Answer[] {
  return Array.from({ length: logits.length / numClasses }, (_, record) =>
    answerOf(logits.subarray(record * numClasses, (record + 1) * numClasses)),
  );
}
