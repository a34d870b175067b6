import { describe, expect, test } from 'vitest';
import { seedsHtml } from '../../../scenarios/report/html.ts';
import { repeatedBounds, repeatedLines } from '../../../scenarios/report/repeated-canaries.ts';
import type { SeedRun } from '../../../scenarios/report/run.ts';
import { seedsSummary } from '../../../scenarios/report/seeds-summary.ts';
import type { Delta } from '../../../shared/units.ts';
import { aManifest, someReports } from '../../support/a-report.ts';

const lasts = someReports({ rounds: 1 });
const manifest = aManifest();
/** Not a delta of any run, but one under which published figures are easy to state. */
const noDelta = 0 as Delta;

/** Runs whose canaries are told apart without a mistake by the coordinator and not at all by recipients. */
function runs(count: number, epsilon: number | 'infinite' = 0.5): SeedRun[] {
  return Array.from({ length: count }, (_, index) => {
    const isMember = index % 2 === 0;
    const reports = lasts.map((report) => {
      return {
        ...report,
        epsilon: { ...report.epsilon, coordinator: epsilon, recipients: 0.4, delta: noDelta },
      };
    });
    const canary = {
      coordinator: { score: isMember ? 3 : -3, isMember },
      recipients: { score: 1, isMember },
    };
    return { seed: index + 1, manifest, reports, canary };
  });
}

describe('what repeated runs prove', () => {
  test('is the Clopper-Pearson bound on one canary of each run, both views together at 95 %', () => {
    const [coordinator, recipients] = repeatedBounds(runs(40));
    // scipy: u = beta.ppf(1 - 0.0125, 1, 20) = 1 - 0.0125 ** (1 / 20); log((1 - u) / u)
    expect(coordinator!.bound).toBeCloseTo(1.4066708631706397, 9);
    expect(recipients!.bound).toBe(0);
    expect(coordinator).toMatchObject({ accounted: 0.5, confidence: 0.975, threshold: 0 });
    expect(coordinator!.runs[1]).toEqual({ seed: 2, score: -3, isMember: false });
  });

  test('does not depend on the order of the seeds, nor on what else the runs are', () => {
    const all = runs(30);
    expect(repeatedBounds([...all].reverse())[0]!.bound).toBe(repeatedBounds(all)[0]!.bound);
  });

  test('is nothing from a single run, from runs without canaries, and from runs without a round', () => {
    const bare = runs(9).map(({ seed, manifest: own, reports }) => ({ seed, manifest: own, reports }));
    const unfinished = runs(9).map((run) => ({ ...run, reports: [] }));
    for (const some of [runs(1), bare, unfinished]) {
      expect(repeatedBounds(some)).toEqual([]);
      expect(seedsSummary(some).text).not.toContain('canary');
      expect(seedsHtml(some)).not.toContain('id="repeated"');
    }
    expect(repeatedBounds([...runs(40), ...bare])[0]!.runs).toHaveLength(40);
  });

  test('is an alarm where it is above the largest epsilon accounted, and never without a promise', () => {
    const text = (some: SeedRun[]): string => repeatedLines(repeatedBounds(some)).join('\n');
    expect(text(runs(40))).toBe(
      `
epsilon from one canary a run: 20 members and 20 held-out in 40 runs
ALARM against the coordinator proven at least 1.40, accounted 0.50, 40 of 40 right
against model recipients proven at least 0.00, accounted 0.40, 20 of 40 right`,
    );
    expect(text([...runs(40), ...runs(2, 2)])).not.toContain('ALARM');
    expect(text([...runs(40), ...runs(2, 'infinite')])).toContain('accounted inf, 42 of 42 right');
    expect(text(runs(40, 'infinite'))).not.toContain('ALARM');
  });

  test('stands in the summary and in the report over seeds', () => {
    const { text, repeated } = seedsSummary(runs(40));
    expect(text).toContain('ALARM against the coordinator proven at least 1.40');
    expect(repeated).toEqual(repeatedBounds(runs(40)));
    const page = seedsHtml(runs(40));
    expect(page).toContain('<section id="repeated">');
    expect(page).toContain('Alarm: the protection is broken.');
    expect(seedsHtml(runs(40, 4))).not.toContain('Alarm: ');
  });
});
