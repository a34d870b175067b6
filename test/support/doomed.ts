import { z } from 'zod';
import { ParleyError } from '../../shared/errors.ts';

const Start = z.strictObject({
  config: z.string(),
  /** The point, and the how-manieth time it is reached in this process; never when left out. */
  end: z.strictObject({ point: z.string(), time: z.number() }).optional(),
});

/**
 * Make this process one that ends itself, as by a power cut, at a point of its work. It is started before it is needed, begins when
 * it is told its configuration and its end, and goes with its parent. `live` calls `reach` at every point.
 */
export function doomed(live: (config: string, reach: (point: string) => void) => Promise<unknown>): void {
  process.on('disconnect', () => {
    process.exit(1);
  });
  process.once('message', (message) => {
    const { config, end } = Start.parse(message);
    let times = 0;
    const reach = (point: string): void => {
      if (point !== end?.point) return;
      times += 1;
      if (times === end.time) process.kill(process.pid, 'SIGKILL');
    };
    live(config, reach).then(() => process.exit(0), fail);
  });
  process.send?.({ point: 'ready' });
}

function fail(error: unknown): void {
  const code = error instanceof ParleyError ? error.code : 'INTERNAL';
  process.send?.({ failed: `${code}: ${error instanceof Error ? error.message : String(error)}` });
  process.exitCode = 70;
  process.disconnect();
}
