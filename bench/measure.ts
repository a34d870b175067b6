/** What one piece of work took: medians over repeats, seconds. */
export interface Times {
  /** By the clock. */
  readonly wall: number;
  /** Of all processors, the system's share included: a busy machine lengthens it little. */
  readonly processor: number;
}

/** What to time; only the time it takes counts. */
export type Work = () => unknown;

/**
 * Time several pieces of work in turns, so that a busy machine slows all alike, after one turn that warms up. In the order
 * of `works`.
 */
export async function inTurns(works: readonly Work[], repeats: number): Promise<Times[]> {
  const times = works.map((): Times[] => []);
  for (let repeat = 0; repeat <= repeats; repeat++)
    for (const [index, work] of works.entries()) {
      const spent = await timed(work);
      if (repeat > 0) times[index]?.push(spent);
    }
  return times.map((spent) => ({
    wall: median(spent.map(({ wall }) => wall)),
    processor: median(spent.map(({ processor }) => processor)),
  }));
}

/** Medians over repeats of one piece of work, after one that warms up. */
export async function repeated(work: Work, repeats: number): Promise<Times> {
  const [times = { wall: NaN, processor: NaN }] = await inTurns([work], repeats);
  return times;
}

/** What one piece of work takes, once. */
export async function timed(work: Work): Promise<Times> {
  const [start, used] = [performance.now(), processorSeconds()];
  await work();
  return { wall: (performance.now() - start) / 1000, processor: processorSeconds() - used };
}

/** Processor time of this process so far, all threads, seconds. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The middle value; the upper one of two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
