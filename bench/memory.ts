import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** How far the memory of this process has grown since a start, in megabytes, at its highest. */
export interface Growth {
  readonly rss: number;
  readonly arrayBuffers: number;
}

/** Watches memory from now on; call `look` wherever it may be at its highest. */
export function watchMemory(): { look(): void; highest(): Growth } {
  collectGarbage();
  const start = process.memoryUsage();
  let highest: Growth = { rss: 0, arrayBuffers: 0 };
  return {
    look: () => {
      const now = process.memoryUsage();
      highest = {
        rss: Math.max(highest.rss, (now.rss - start.rss) / 1e6),
        arrayBuffers: Math.max(highest.arrayBuffers, (now.arrayBuffers - start.arrayBuffers) / 1e6),
      };
    },
    highest: () => highest,
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  // The flag just set puts it there.
  const collect = runInNewContext('gc') as () => void;
  collect();
}
