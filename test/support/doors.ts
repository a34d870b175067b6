/** Who is in: sites come and go by any number of doors, and others wait until some of them are in. */
export interface Doors {
  readonly entered: (site: string) => void;
  readonly left: (site: string) => void;
  /** Resolves when all these sites are in at once. */
  readonly untilIn: (sites: readonly string[]) => Promise<void>;
  readonly untilOut: (site: string) => Promise<void>;
}

/** Nobody is in yet. */
export function openDoors(): Doors {
  const connections = new Map<string, number>();
  const waiting = new Set<() => void>();
  const isIn = (site: string): boolean => (connections.get(site) ?? 0) > 0;
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!holds()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const count = (site: string, change: number): void => {
    connections.set(site, (connections.get(site) ?? 0) + change);
    for (const check of [...waiting]) check();
  };
  return {
    entered: (site) => {
      count(site, 1);
    },
    left: (site) => {
      count(site, -1);
    },
    untilIn: (sites) => until(() => sites.every(isIn)),
    untilOut: (site) => until(() => !isIn(site)),
  };
}
