import type { z } from 'zod';

/**
 * Each place where a value does not fit its schema, and what was expected there. Of a value that may be one of several things, what it
 * lacks to be the one that it comes closest to. `whole` names the value itself.
 */
export function faultsOf(error: z.ZodError, whole: string): readonly string[] {
  return error.issues.map((issue) => faultOf(issue, whole));
}

/** The same for one place. */
export function faultOf(issue: z.core.$ZodIssue, whole: string): string {
  const found = closest(issue);
  return `${found.path.map(String).join('.') || whole}: ${found.expected}`;
}

interface Fault {
  readonly path: readonly PropertyKey[];
  readonly expected: string;
}

/** The fault that lies deepest in any kind of a union: up to there the value fits; several as deep are given as choices. */
function closest(issue: z.core.$ZodIssue): Fault {
  const here: Fault = { path: issue.path, expected: issue.message };
  if (issue.code !== 'invalid_union') return here;
  const faults = issue.errors.flat().map(closest);
  const depth = Math.max(...faults.map(({ path }) => path.length));
  const deepest = faults.filter(({ path }) => path.length === depth);
  const [first] = deepest;
  if (first === undefined) return here;
  const expected = [...new Set(deepest.map((fault) => fault.expected))].join(', or ');
  return { path: [...issue.path, ...first.path], expected };
}
