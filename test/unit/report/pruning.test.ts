import { expect, test } from 'vitest';
import { reportHtml } from '../../../scenarios/report/html.ts';
import { roundLine } from '../../../scenarios/report/line.ts';
import { summaryTable } from '../../../scenarios/report/summary.ts';
import { PruningReport } from '../../../shared/protocol/pruning-report.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { aManifest, someReports } from '../../support/a-report.ts';

const [first, second] = someReports({ rounds: 5 }, 2) as [RoundReport, RoundReport];
const hash = 'a'.repeat(64);

function leakage(utility: number, auc: number, losses: readonly number[]): unknown {
  const { user } = first.audit;
  return {
    utility: { ...first.utility, value: utility },
    user: { ...user, auc },
    memberLosses: losses,
    heldOutLosses: losses.map((loss) => loss + 1),
  };
}

const pruned: RoundReport = {
  ...second,
  pruning: PruningReport.parse({
    ...{ kept: 300, sparsity: 0.7, maskSha256: hash, uploadBytes: 2100, fullUploadBytes: 4100 },
    step: {
      pruned: 200,
      unprunedSha256: hash,
      before: leakage(0.7123, 0.6234, [0.1, 0.2, 0.3, 0.4, 0.5]),
      after: leakage(0.6987, 0.5876, [0.6, 0.7, 0.8, 0.9, 1]),
    },
  }),
};

test('the line has sparsity and upload where a run prunes', () => {
  expect(roundLine(pruned)).toContain('  70.0% sparse, upload 51.2%  ');
  expect(roundLine(first)).not.toContain('sparse');
});

test('the summary says what each step did', () => {
  const text = summaryTable(aManifest(), [first, pruned]);
  expect(text).toContain(
    'pruning      70.0% sparse, upload 51.2% of 4,100 bytes; after round 2 test AUC 0.712 to 0.699, AUC 0.623 to 0.588\n',
  );
  expect(summaryTable(aManifest(), [first])).not.toContain('pruning');
});

test('the page has utility, leakage and losses of the models before and after', () => {
  const text = reportHtml({ manifest: aManifest(), reports: [first, pruned] }).replaceAll(/<[^>]*>/g, ' ');
  const row = (name: string): string[] => text.split('\n').filter((line) => line.includes(name));
  expect(row('round 2, before')[0]).toMatch(/50\.0% +0\.712 +0\.623/);
  expect(row('round 2, after')[0]).toMatch(/70\.0% +0\.699 +0\.588/);
  expect(row('round 2, after')[1]).toMatch(/0\.600 .* 1\.000 +1\.600 .* 2\.000/);
  expect(reportHtml({ manifest: aManifest(), reports: [first] })).not.toContain('id="pruning"');
});
