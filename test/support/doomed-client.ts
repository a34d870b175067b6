import { z } from 'zod';
import { launchClient } from '../../client/index.ts';
import { ParleyError } from '../../shared/errors.ts';

/**
 * A client process that ends itself, as by a power cut, at a step of a release. It is started before it is needed, and goes
 * when it is told its configuration and its end; it tells its parent every step.
 */
const Start = z.strictObject({
  config: z.string(),
  /** The step, and the how-manieth time it is reached in this process; never when left out. */
  end: z.strictObject({ point: z.string(), time: z.number() }).optional(),
});

process.on('disconnect', () => {
  process.exit(1);
});
process.once('message', (message) => {
  const { config, end } = Start.parse(message);
  let times = 0;
  const mark = (point: string): void => {
    process.send?.({ point });
    if (point !== end?.point) return;
    times += 1;
    if (times === end.time) process.kill(process.pid, 'SIGKILL');
  };
  const observer = {
    note: (note: string): void => void process.send?.({ note }),
    report: (): void => void process.send?.({ point: 'report' }),
  };
  launchClient(config, { observer, mark, signal: new AbortController().signal }).then(
    () => process.exit(0),
    (error: unknown) => {
      const code = error instanceof ParleyError ? error.code : 'INTERNAL';
      process.send?.({ failed: `${code}: ${error instanceof Error ? error.message : String(error)}` });
      process.exitCode = 70;
      process.disconnect();
    },
  );
});
process.send?.({ point: 'ready' });
