import { launchClient } from '../../client/index.ts';
import { doomed } from './doomed.ts';

/** A client process that can end itself at a step of a release; it tells its parent every step. */
doomed((config, reach) => {
  const mark = (point: string): void => {
    process.send?.({ point });
    reach(point);
  };
  const observer = {
    note: (note: string): void => void process.send?.({ note }),
    report: (): void => void process.send?.({ point: 'report' }),
  };
  return launchClient(config, { observer, mark, signal: new AbortController().signal });
});
