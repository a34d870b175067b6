import { afterEach } from 'vitest';
import { type ParleyProcess, parley } from './processes.ts';

/** Starts `parley` as {@link parley} does; what still runs after a test of the file that asks for this is killed. */
export function mortalParley(): (...args: readonly string[]) => ParleyProcess {
  const running: ParleyProcess[] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((process) => process.kill('SIGKILL')));
  });
  return (...args) => {
    const process = parley(...args);
    running.push(process);
    return process;
  };
}
