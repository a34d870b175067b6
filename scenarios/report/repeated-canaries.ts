import { type CanaryOfRun, type RepeatedRun, repeatedRunsBound } from '../../coordinator/index.ts';
import type { ReportedEpsilon } from '../../shared/protocol/report.ts';
import { html, type Markup } from './markup.ts';
import type { SeedRun } from './run.ts';
import { table } from './table.ts';
import { counted, epsilonText, provenText } from './words.ts';

/** What repeated runs prove of epsilon against one adversary, from one canary of each. */
export interface RepeatedBound {
  readonly view: keyof CanaryOfRun;
  /** Lower bound in nats at `confidence`. */
  readonly bound: number;
  readonly confidence: number;
  /** The largest of the runs. */
  readonly accounted: ReportedEpsilon;
  readonly delta: number;
  /** In the order of the seeds: all that the bound is made of, with the threshold. */
  readonly runs: readonly (RepeatedRun & { readonly seed: number })[];
  /** Scores at or above it are called members; declared before any run. */
  readonly threshold: number;
}

/** Of log-likelihood ratios: where member and held-out are equally likely. */
const threshold = 0;

/** Two views: together their bounds are above the truth with probability at most 0.05. */
const confidence = 0.975;

/**
 * Lower bounds on epsilon over the runs of a scenario (Jagielski, Ullman, Oprea 2020), at a threshold that was fixed before
 * them. Neighbouring: one canary, which is one user. None where fewer than two runs have a canary that was scored.
 */
export function repeatedBounds(runs: readonly SeedRun[]): RepeatedBound[] {
  const scored = runs.flatMap(({ seed, canary, reports }) => {
    const last = reports.at(-1);
    return canary && last ? [{ seed, canary, epsilon: last.epsilon }] : [];
  });
  if (scored.length < 2) return [];
  // A bound at the largest delta holds for every run.
  const delta = Math.max(...scored.map(({ epsilon }) => epsilon.delta));
  return (['coordinator', 'recipients'] as const).map((view) => {
    const own = scored.map(({ seed, canary }) => ({ seed, ...canary[view] }));
    return {
      ...{ view, delta, confidence, threshold, runs: own },
      bound: repeatedRunsBound(own, { delta, confidence }, threshold),
      accounted: largest(scored.map(({ epsilon }) => epsilon[view])),
    };
  });
}

function largest(epsilons: readonly ReportedEpsilon[]): ReportedEpsilon {
  const finite = epsilons.filter((epsilon) => epsilon !== 'infinite');
  return finite.length < epsilons.length ? 'infinite' : Math.max(...finite);
}

/** Whether more is proven than was accounted: the protection is broken, but in 5 % of sound scenarios at most. */
function isBroken({ bound, accounted }: RepeatedBound): boolean {
  return accounted !== 'infinite' && bound > accounted;
}

const names = { coordinator: 'the coordinator', recipients: 'model recipients' } as const;

/** The same as lines of text. */
export function repeatedLines(bounds: readonly RepeatedBound[]): string[] {
  const [first] = bounds;
  if (first === undefined) return [];
  return [
    '',
    `epsilon from one canary a run: ${runsText(first)}`,
    ...bounds.map(
      (own) =>
        `${isBroken(own) ? 'ALARM ' : ''}against ${names[own.view]} proven at least ${provenText(own.bound)}, accounted ${epsilonText(own.accounted)}, ${rightText(own)}`,
    ),
  ];
}

/** The same as a section of the report; nothing without bounds. */
export function repeatedSection(bounds: readonly RepeatedBound[]): Markup[] {
  const [first] = bounds;
  if (first === undefined) return [];
  const alarm = bounds.some(isBroken)
    ? html`<p class="bad"><b>Alarm: the protection is broken.</b> More is proven than was accounted.</p>`
    : null;
  const rows = table<RepeatedBound>(
    `One canary of each run, chosen before it: ${runsText(first)}. Bounds of both views hold together at 95 %.`,
    [
      { header: 'Against', cell: ({ view }) => names[view] },
      { header: 'Accounted, at most', numeric: true, cell: ({ accounted }) => epsilonText(accounted) },
      { header: 'Proven, at least', numeric: true, cell: ({ bound }) => provenText(bound) },
      { header: 'Right guesses', numeric: true, cell: rightText },
    ],
    bounds,
  );
  return [
    html`<section id="repeated"><h2>Epsilon over repeated runs</h2>${alarm}${rows}<p class="note">n runs a side cannot prove more than about ln(n / 4.4).</p></section>`,
  ];
}

function runsText({ runs }: RepeatedBound): string {
  const members = runs.filter(({ isMember }) => isMember).length;
  return `${counted(members, 'member')} and ${runs.length - members} held-out in ${counted(runs.length, 'run')}`;
}

function rightText({ runs, threshold: least }: RepeatedBound): string {
  const right = runs.filter(({ score, isMember }) => score >= least === isMember).length;
  return `${right} of ${runs.length} right`;
}
