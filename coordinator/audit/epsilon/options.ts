/** At which delta an epsilon is meant, and how sure a bound or an interval shall be. */
export interface BoundOptions {
  /** In [0, 1); an estimate by Gaussian laws needs it above 0. */
  readonly delta: number;
  /** In (0, 1), for instance 0.95: a bound is above the truth with probability at most 1 - confidence. */
  readonly confidence: number;
}

/** Refuses options outside their ranges with a RangeError: a bound that is not a number would never raise an alarm. */
export function assertBoundOptions({ delta, confidence }: BoundOptions): void {
  if (!(delta >= 0 && delta < 1)) throw new RangeError(`delta must lie in [0, 1), not ${delta}`);
  if (!(confidence > 0 && confidence < 1))
    throw new RangeError(`confidence must lie in (0, 1), not ${confidence}`);
}

/** Refuses counts that are no whole numbers, or not ascending from 0, with a RangeError. */
export function assertCounts(what: string, ...ascending: readonly number[]): void {
  const fits = ascending.every(
    (count, index) => Number.isSafeInteger(count) && count >= (ascending[index - 1] ?? 0),
  );
  if (!fits) throw new RangeError(`${what}: ${ascending.join(' of ')} are not possible counts`);
}
