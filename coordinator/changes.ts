/** Runs an action after a delay; the result cancels it. Handed in, so that tests need no clock. */
export type After = (delayMs: number, action: () => void) => () => void;

/** How long to wait at most, and what ends the wait early. */
export interface Limits {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A state that others wait on. */
export interface Changes {
  /** Tell those who wait that the state is another. */
  changed(): void;
  /** Resolves once the condition holds, the deadline passes or the signal aborts; rejects with what the condition throws. */
  until(condition: () => boolean, limits: Limits): Promise<void>;
}

/** The machine's own timer; longer delays than it can count become the longest it can (24 days). */
export const systemAfter: After = (delayMs, action) => {
  const timer = setTimeout(action, Math.min(delayMs, 2 ** 31 - 1));
  return () => {
    clearTimeout(timer);
  };
};

/** Waiting on a state, without polling. */
export function createChanges(after: After): Changes {
  const listeners = new Set<() => void>();
  return {
    changed: () => {
      for (const listener of [...listeners]) listener();
    },
    until: (condition, { deadlineMs, signal }) => {
      let stop = (): void => undefined;
      const waited = new Promise<void>((resolve, reject) => {
        const check = (): void => {
          try {
            if (condition() || signal?.aborted) resolve();
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        };
        const cancel = after(deadlineMs, resolve);
        listeners.add(check);
        signal?.addEventListener('abort', check);
        stop = () => {
          cancel();
          listeners.delete(check);
          signal?.removeEventListener('abort', check);
        };
        check();
      });
      return waited.finally(() => {
        stop();
      });
    },
  };
}
