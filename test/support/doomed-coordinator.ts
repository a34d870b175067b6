import { z } from 'zod';
import { launchCoordinator } from '../../coordinator/index.ts';

/**
 * A coordinator process that ends itself, as by a power cut, at a stage of a round, told and started like a doomed client. Its
 * points are what its observer hears: `3 sites scored 0 2` is when none of the two sites asked in round 3 has scored.
 */
const Start = z.strictObject({
  config: z.string(),
  /** The point, and the how-manieth time it is reached in this process; never when left out. */
  end: z.strictObject({ point: z.string(), time: z.number() }).optional(),
});

process.on('disconnect', () => {
  process.exit(1);
});
process.once('message', (message) => {
  const { config, end } = Start.parse(message);
  let latest = '';
  let times = 0;
  const stage = (...heard: readonly (string | number)[]): void => {
    const point = heard.join(' ');
    if (point === latest) return;
    latest = point;
    if (point !== end?.point) return;
    times += 1;
    if (times === end.time) process.kill(process.pid, 'SIGKILL');
  };
  const observer = { stage, report: (): void => undefined, note: (): void => undefined };
  launchCoordinator(config, { observer, signal: new AbortController().signal }).outcome.then(
    () => process.exit(0),
    (error: unknown) => {
      process.send?.({ failed: error instanceof Error ? error.message : String(error) });
      process.exitCode = 70;
      process.disconnect();
    },
  );
});
process.send?.({ point: 'ready' });
