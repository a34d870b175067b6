import type { RecordFault } from '../../shared/data/read-record.ts';
import type { Answer } from '../../shared/model/hardening/answer.ts';
import type { PredictionAnswer, PredictionReply } from '../../shared/protocol/predictions.ts';
import type { Left } from './budget.ts';
import type { Detector } from './monitor/settings.ts';
import type { Alarm, Standing } from './standing.ts';

/** What a reply is made of. */
export interface ReplyParts {
  /** Shape (numRecords,): undefined where there is an answer. */
  readonly faults: readonly (RecordFault | undefined)[];
  /** Hardened answers of the records without fault, in order. */
  readonly answers: readonly Answer[];
  readonly alarms: readonly Alarm[];
  readonly standing: Standing;
  readonly left: Left;
}

/** The reply to a request that is answered. */
export function replyOf({ faults, answers, alarms, standing, left }: ReplyParts): PredictionReply {
  let next = 0;
  return {
    answers: faults.map((fault): PredictionAnswer => {
      if (fault) return { error: { code: fault.code, field: fault.field, message: fault.message } };
      const answer = answers[next++];
      return { label: answer?.label ?? 0, probabilities: Array.from(answer?.probabilities ?? []) };
    }),
    standing,
    warnings: alarms.map(({ detector, group, action }) => ({
      detector,
      message: `${noticed[detector]}${group === null ? '' : ` (${group})`}${consequence[action]}`,
    })),
    budget: { total: left.total, today: left.today },
  };
}

const noticed = {
  repeats: 'the same records are asked about again and again',
  copies: 'records are asked about that are nearly the same as earlier ones',
  subpopulation: 'one group is asked about far more often than it occurs',
  calibration: 'the answers are distributed unlike those about ordinary records',
} as const satisfies Record<Detector, string>;

const consequence = {
  warn: '; this is how an attempt to find out whose records trained the model looks',
  harden: '; answers say less from now on',
  block: '; no more answers are given',
} as const satisfies Record<Alarm['action'], string>;
