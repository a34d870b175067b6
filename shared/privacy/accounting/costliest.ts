/** A quantity to choose as costly as a limit allows. */
export interface Search {
  /** Never falls from `cheap` to `dear`; Infinity where nothing is promised. */
  readonly cost: (x: number) => number;
  /** Finite, >= 0. */
  readonly limit: number;
  /** Ends of the range, both > 0, in either order. */
  readonly cheap: number;
  readonly dear: number;
  /** Where to look first, in the range. */
  readonly start: number;
  /** Whether the quantity is a whole number. */
  readonly whole?: boolean;
}

/**
 * The costliest x in the range whose cost, itself evaluated, is within the limit, or undefined when not even `cheap` is.
 * A real x costs at least 0.9999 of the limit or lies within a factor of 1 + 1e-6 of an x that costs too much; a whole x is
 * one below a number that costs too much, or within 1e-4 of it where that is more. Few evaluations: false position on
 * logarithms (a cost is near a power of what is chosen), Illinois variant, with a halving of the bracket now and then.
 */
export function costliestWithin(search: Search): number | undefined {
  const { cost, limit, cheap, dear } = search;
  let found: Bracket = {};
  let x = search.start;
  for (let evaluations = 1; ; evaluations++) {
    const spent = cost(x);
    const point = { x, excess: Math.log(spent) - Math.log(limit) - margin };
    if (spent <= limit && (x === dear || isNearLimit(spent, search))) return x;
    if (spent > limit && x === cheap) return undefined;
    found = narrowed(found, point, spent <= limit);
    if (isNarrow(found, search)) return found.within?.x;
    x = proposed(found, search, evaluations);
  }
}

const tolerance = 1e-4;
/** Aims at the middle of the tolerance, so that a good guess ends the search. */
const margin = Math.log1p(-tolerance / 2);

interface Point {
  readonly x: number;
  /** ln(cost / what is aimed at); not finite where the cost or the limit is 0 or infinite. */
  readonly excess: number;
}

interface Bracket {
  /** The costliest x known to stay within the limit. */
  readonly within?: Point;
  /** The cheapest x known not to. */
  readonly beyond?: Point;
  readonly newest?: 'within' | 'beyond';
}

/** The bracket with one more point; where the same end moves twice in a row, the other one counts half (Illinois). */
function narrowed({ within, beyond, newest }: Bracket, point: Point, isWithin: boolean): Bracket {
  if (isWithin)
    return {
      within: point,
      ...(beyond && { beyond: newest === 'within' ? halved(beyond) : beyond }),
      newest: 'within',
    };
  return {
    beyond: point,
    ...(within && { within: newest === 'beyond' ? halved(within) : within }),
    newest: 'beyond',
  };
}

function halved({ x, excess }: Point): Point {
  return { x, excess: excess / 2 };
}

/** A limit of 0 is near nothing, and a whole number is looked for until its neighbour costs too much. */
function isNearLimit(spent: number, { limit, whole = false }: Search): boolean {
  return !whole && spent > 0 && spent >= limit * (1 - tolerance);
}

function isNarrow({ within, beyond }: Bracket, { whole = false }: Search): boolean {
  if (within === undefined || beyond === undefined) return false;
  return whole
    ? Math.abs(beyond.x - within.x) <= Math.max(1, tolerance * within.x)
    : Math.abs(Math.log(beyond.x / within.x)) <= 1e-6;
}

function proposed({ within, beyond }: Bracket, { cheap, dear, whole }: Search, evaluations: number): number {
  if (within === undefined) return strided(beyond, cheap, whole);
  if (beyond === undefined) return strided(within, dear, whole);
  const share = within.excess / (within.excess - beyond.excess);
  const isUsable = share > 0 && share < 1 && evaluations % 6 !== 0;
  const logX = Math.log(within.x) + (isUsable ? share : 0.5) * Math.log(beyond.x / within.x);
  if (!whole) return Math.exp(logX);
  const [low, high] = [Math.min(within.x, beyond.x), Math.max(within.x, beyond.x)];
  return Math.min(high - 1, Math.max(low + 1, Math.round(Math.exp(logX))));
}

/** A step from a point towards an end of the range, by a factor that its distance from the limit suggests. */
function strided(from: Point | undefined, end: number, whole = false): number {
  if (from === undefined) return end;
  const distance = Number.isFinite(from.excess) ? Math.abs(from.excess) : 1;
  const factor = Math.exp(Math.min(3, Math.max(0.05, 1.5 * distance)));
  if (end < from.x) return Math.max(end, whole ? Math.floor(from.x / factor) : from.x / factor);
  return Math.min(end, whole ? Math.ceil(from.x * factor) : from.x * factor);
}
