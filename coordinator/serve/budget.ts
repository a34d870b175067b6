import { z } from 'zod';

/** Most records that a caller gets answers to. */
export const QueryBudget = z.strictObject({
  /** In all; `none` is no limit. */
  total: z.union([z.number().int().positive(), z.literal('none')]).default(100_000),
  /** On each day from midnight to midnight UTC. */
  perDay: z.union([z.number().int().positive(), z.literal('none')]).default(10_000),
});
export type QueryBudget = z.infer<typeof QueryBudget>;

/** Records that a caller got answers to. */
export interface Spent {
  readonly total: number;
  /** Days since 1970 UTC, and the records of that day. */
  readonly day: number;
  readonly today: number;
}

/** Nothing was asked yet. */
export const nothingSpent: Spent = { total: 0, day: 0, today: 0 };

const dayMs = 86_400_000;

/** What is spent after so many more records at that time, milliseconds since 1970. A clock that goes back starts no new day. */
export function spentAfter(spent: Spent, records: number, timeMs: number): Spent {
  const day = Math.max(spent.day, Math.floor(timeMs / dayMs));
  const today = day === spent.day ? spent.today : 0;
  return { total: spent.total + records, day, today: today + records };
}

/** Records that are left, in all and today; null where there is no limit. */
export interface Left {
  readonly total: number | null;
  readonly today: number | null;
}

/** What is left of a budget at that time. */
export function leftOf({ total, perDay }: QueryBudget, spent: Spent, timeMs: number): Left {
  const { today } = spentAfter(spent, 0, timeMs);
  return {
    total: total === 'none' ? null : Math.max(0, total - spent.total),
    today: perDay === 'none' ? null : Math.max(0, perDay - today),
  };
}

/** The largest number of records that a request may still have. */
export function mostRecords({ total, today }: Left): number {
  return Math.min(total ?? Infinity, today ?? Infinity);
}
