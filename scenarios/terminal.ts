import { performance } from 'node:perf_hooks';
import type { Observer } from '../coordinator/index.ts';
import type { ErrorCode } from '../shared/errors.ts';
import { roundLine } from './report/line.ts';
import { createProgress } from './report/progress.ts';

/** Where a command speaks: results on `stdout`, progress and notes on `stderr`. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** An observer that writes one line a round for people, or one JSON object a round for machines. */
export interface Terminal extends Observer {
  /** A text for people; silent with `json`. */
  readonly say: (text: string) => void;
  /** A value for machines; silent without `json`. */
  readonly emit: (value: unknown) => void;
  readonly fail: (code: ErrorCode | 'INTERNAL', message: string) => void;
  readonly end: () => void;
}

/** The terminal of a command. `rounds` is only for the progress line. */
export function createTerminal({ stdout, stderr }: Streams, json: boolean): Terminal {
  const stream = {
    isTTY: stderr.isTTY && !json,
    columns: stderr.columns,
    write: (text: string) => stderr.write(text),
  };
  const progress = createProgress({ stream, now: () => performance.now() });
  let current = '';
  const say = (text: string): void => {
    if (!json) stdout.write(`${text}\n`);
  };
  const emit = (value: unknown): void => {
    if (json) stdout.write(`${JSON.stringify(value)}\n`);
  };
  return {
    say,
    emit,
    stage: (round, stage, done, total) => {
      const text = `round ${round + 1}  ${stage}`;
      if (text !== current && !json) progress.stage(text);
      current = text;
      if (!json) progress.update(done, total);
    },
    report: (report) => {
      progress.end();
      current = '';
      say(roundLine(report));
      emit({ report });
    },
    note: (text) => {
      if (json) stderr.write(`${text}\n`);
      else progress.line(text);
    },
    fail: (code, message) => {
      progress.end();
      if (json) emit({ error: { code, message } });
      else stderr.write(`parley: ${code}: ${message}\n`);
    },
    end: () => {
      progress.end();
    },
  };
}
