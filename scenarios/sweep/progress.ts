import { durationText } from '../report/sweep-words.ts';
import { figure } from '../report/words.ts';
import type { JobResult } from './result.ts';

/** How many jobs there are, how many were done before, and milliseconds of any steady clock. */
export interface Counting {
  readonly total: number;
  readonly kept: number;
  readonly now: () => number;
}

/**
 * Makes a line for each job that ends: `7/20  leaky, defence hamp, seed 2: accuracy 0.331, user-MIA AUC 0.886  1.2 min, about
 * 3.4 min left`. The estimate takes the jobs that are left to be like those since the start.
 */
export function progressOf({ total, kept, now }: Counting): (result: JobResult) => string {
  const startedAt = now();
  let done = 0;
  return (result) => {
    done += 1;
    const seconds = (now() - startedAt) / 1000;
    const left = total - kept - done;
    const rest = left === 0 ? '' : `, about ${durationText((seconds / done) * left)} left`;
    return `${kept + done}/${total}  ${result.cell}, seed ${result.seed}: ${outcomeOf(result)}  ${durationText(seconds)}${rest}`;
  };
}

const longestMessage = 200;

function outcomeOf(result: JobResult): string {
  if (result.status === 'failed')
    return `FAILED: ${result.error.code}: ${result.error.message.slice(0, longestMessage)}`;
  const { utility, userMia } = result.figures;
  const stopped = result.outcome === 'stopped' ? `, stopped: ${result.detail}` : '';
  return `${utility.metric} ${figure(utility.value)}, user-MIA AUC ${figure(userMia.auc)}${stopped}`;
}
