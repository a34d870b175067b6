import { z } from 'zod';

/** What a figure should come to: at least or at most so much. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** One figure as a part measures it. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: Goal | undefined;
}

/** One line of `--json`. */
export const Measurement = z.strictObject({
  part: z.string().min(1),
  name: z.string().min(1),
  value: z.number(),
  unit: z.string(),
  /** Which side of the goal is the good one; null without a goal. */
  better: z.enum(['more', 'less']).nullable(),
  goal: z.number().positive().nullable(),
  /** 1 or more reaches the goal: value over goal, or goal over value where less is better. Null for a value of 0 or below. */
  ratio: z.number().positive().nullable(),
});
export type Measurement = z.infer<typeof Measurement>;

/** How a part is to run. */
export interface Setting {
  /** Tiny sizes and one repeat, to see that everything works; the figures mean nothing. */
  readonly quick: boolean;
  /** An empty folder for what a part writes. */
  readonly directory: string;
  readonly emit: (figure: Figure) => void;
  /** For people: what was left out, and why. */
  readonly note: (text: string) => void;
}

/** One subject of the benchmark. */
export interface Part {
  readonly name: string;
  /** What it measures, for --help. */
  readonly about: string;
  /** How it is measured, a sentence or two for the tables in docs/performance.md. */
  readonly how: string;
  readonly run: (setting: Setting) => Promise<void>;
}

/** A part's figure with its goal worked out. */
export function measured(part: string, { name, value, unit, goal }: Figure): Measurement {
  const none = { better: null, goal: null, ratio: null };
  if (goal === undefined) return { part, name, value, unit, ...none };
  const better = 'atLeast' in goal ? 'more' : 'less';
  const wanted = 'atLeast' in goal ? goal.atLeast : goal.atMost;
  const ratio = better === 'more' ? value / wanted : wanted / value;
  return { part, name, value, unit, better, goal: wanted, ratio: value > 0 ? ratio : null };
}

/** A measurement as a line for people. */
export function line(measurement: Measurement): string {
  const { name, value, unit, better, goal } = measurement;
  const figure = `  ${name}: ${rounded(value)} ${unit}`.trimEnd();
  if (goal === null) return figure;
  return `${figure} (goal ${better === 'more' ? 'at least' : 'at most'} ${rounded(goal)}: ${verdict(measurement)})`;
}

/** A measurement as a row of the tables in docs/performance.md. */
export function row(measurement: Measurement): string {
  const { name, value, unit, better, goal } = measurement;
  const wanted = goal === null ? '' : `${better === 'more' ? '>=' : '<='} ${rounded(goal)}`;
  const cells = [
    name,
    `${rounded(value)} ${unit}`.trimEnd(),
    wanted,
    goal === null ? '' : verdict(measurement),
  ];
  return `| ${cells.join(' | ')} |`;
}

function verdict({ value, better, goal, ratio }: Measurement): string {
  const isReached = goal !== null && (better === 'more' ? value >= goal : value <= goal);
  const text = isReached ? 'reached' : 'missed';
  return ratio === null ? text : `${text}, ${rounded(ratio)}`;
}

/** Three digits, without exponent. */
function rounded(value: number): string {
  if (!Number.isFinite(value) || value === 0 || Number.isInteger(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}
