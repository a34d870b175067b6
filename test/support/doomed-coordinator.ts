import { launchCoordinator } from '../../coordinator/index.ts';
import { doomed } from './doomed.ts';

/**
 * A coordinator process that can end itself at a stage of a round. Its points are what its observer hears: `3 sites scored 0 2` is
 * when none of the two sites asked in round 3 has scored.
 */
doomed((config, reach) => {
  let latest = '';
  const stage = (...heard: readonly (string | number)[]): void => {
    const point = heard.join(' ');
    if (point === latest) return;
    latest = point;
    reach(point);
  };
  const observer = { stage, report: (): void => undefined, note: (): void => undefined };
  return launchCoordinator(config, { observer, signal: new AbortController().signal }).outcome;
});
