/** Where progress is shown. `write` may be called often; nothing is ever read from it. */
export interface ProgressStream {
  readonly isTTY: boolean;
  /** Width of the terminal in characters; 80 where unknown. */
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Calls `task` every `intervalMs` milliseconds until the returned function is called. */
export type Every = (intervalMs: number, task: () => void) => () => void;

export interface ProgressOptions {
  readonly stream: ProgressStream;
  /** Milliseconds of any steady clock. */
  readonly now: () => number;
  /** Left out: a timer of Node that does not keep the process alive. */
  readonly every?: Every;
}

/** What happens inside a round, for someone who waits. */
export interface Progress {
  /** Begins a stage of a round, such as `round 12/50  training`. */
  stage(text: string): void;
  /** How many of the asked sites have answered in this stage. */
  update(done: number, total: number): void;
  /** Prints a line that stays. */
  line(text: string): void;
  /** Ends the stage, clears what does not stay and stops the timer. */
  end(): void;
}

const quietMs = 1_000;
const tickMs = 250;
const redrawMs = 100;
const plainMs = 5_000;

/**
 * Progress of the running stage. On a terminal one line is rewritten in place once the stage has lasted a second;
 * elsewhere a plain line at most every five seconds, never a control character. No colours, hence nothing for NO_COLOR.
 */
export function createProgress({ stream, now, every = everyUnref }: ProgressOptions): Progress {
  let stage: { text: string; startedAt: number; answered: string } | undefined;
  let shown = '';
  let drawnAt = now();
  let stopTimer: (() => void) | undefined;

  const clear = (): void => {
    if (shown !== '') stream.write(`\r${' '.repeat(shown.length)}\r`);
    shown = '';
  };
  const rewrite = (text: string): void => {
    const fitting = text.slice(0, Math.max(0, (stream.columns ?? 80) - 1));
    stream.write(`\r${fitting.padEnd(shown.length)}`);
    shown = fitting;
  };
  const draw = (): void => {
    if (stage === undefined) return;
    const time = now();
    const elapsedMs = time - stage.startedAt;
    if (elapsedMs <= quietMs || time - drawnAt < (stream.isTTY ? redrawMs : plainMs)) return;
    const text = `  ${stage.text}${stage.answered}  ${(elapsedMs / 1000).toFixed(1)} s`;
    if (stream.isTTY) rewrite(text);
    else stream.write(`${text}\n`);
    drawnAt = time;
  };
  return {
    stage(text) {
      clear();
      stage = { text, startedAt: now(), answered: '' };
      stopTimer ??= every(tickMs, draw);
    },
    // A simulation trains in the same thread, where timers starve: an answer is a chance to draw as well.
    update(done, total) {
      if (stage === undefined) return;
      stage.answered = `  ${done}/${total} sites answered`;
      draw();
    },
    line(text) {
      clear();
      stream.write(`${text}\n`);
      drawnAt = now();
    },
    end() {
      clear();
      stage = undefined;
      stopTimer?.();
      stopTimer = undefined;
    },
  };
}

function everyUnref(intervalMs: number, task: () => void): () => void {
  const timer = setInterval(task, intervalMs);
  timer.unref();
  return () => {
    clearInterval(timer);
  };
}
