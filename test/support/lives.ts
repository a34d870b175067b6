import { type ChildProcess, fork } from 'node:child_process';
import { z } from 'zod';
import type { Rng } from '../../shared/random/rng.ts';
import { shuffled, uniformBelow } from '../../shared/random/sample.ts';

/** How a client's process ends: at a step of its own, or after so many events and turns of this process's event loop. */
export type End =
  | { readonly type: 'point'; readonly point: string; readonly time: number }
  | { readonly type: 'event'; readonly after: number; readonly turns: number };

/** Events of a life that are drawn from: a start, an enrolment and two rounds have about as many. */
const events = 45;
const maxTurns = 400;

/** So many ends in a random order: two fifths spread over all points, first and second times, the others at random events. */
export function drawnEnds(count: number, points: readonly string[], rng: Rng): End[] {
  const atPoints = Math.max(points.length, Math.floor((0.4 * count) / points.length) * points.length);
  const ends = Array.from({ length: count }, (_, index): End => {
    const [lap, at] = [Math.floor(index / points.length), index % points.length];
    return index < atPoints
      ? { type: 'point', point: points[at]!, time: 1 + (lap % 2) }
      : { type: 'event', after: uniformBelow(rng, events), turns: uniformBelow(rng, maxTurns) };
  });
  return [...shuffled(rng, count)].map((index) => ends[index]!);
}

/** One process of a client. */
export interface Life {
  /** Go, with this end or none. Resolves with the signal that ended the process, null when it ended by itself. */
  live(config: string, end: End | undefined): Promise<NodeJS.Signals | null>;
  /** Something of it was seen from outside. */
  seen(): void;
  kill(): void;
}

const Told = z.object({ failed: z.string() });

/** Start a process and let it load its program, a doomed client; what remains is to go. */
export function warmedUp(program: string): Life {
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = new Promise<NodeJS.Signals | null>((resolve) => {
    child.on('exit', (_code, signal) => {
      resolve(signal);
    });
  });
  let seen = (): void => undefined;
  let failure: string | undefined;
  const ready = new Promise<void>((resolve) => {
    child.on('message', (message) => {
      resolve();
      failure ??= Told.safeParse(message).data?.failed;
      seen();
    });
  });
  return {
    live: async (config, end) => {
      await ready;
      if (end?.type === 'event') seen = countdown(child, end.after, end.turns);
      child.send({ config, ...(end?.type === 'point' && { end: { point: end.point, time: end.time } }) });
      seen();
      const signal = await exited;
      if (failure !== undefined) throw new Error(failure);
      return signal;
    },
    seen: () => {
      seen();
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Counts events, the start being the first; after the last one it lets so many turns pass and kills. */
function countdown(child: ChildProcess, after: number, turns: number): () => void {
  let left = after;
  const turn = (more: number): void => {
    if (more === 0) child.kill('SIGKILL');
    else setImmediate(turn, more - 1);
  };
  return () => {
    if (left === 0) turn(turns);
    left -= 1;
  };
}
