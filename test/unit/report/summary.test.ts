import { describe, expect, test } from 'vitest';
import { seedsSummary } from '../../../scenarios/report/seeds-summary.ts';
import { summaryTable } from '../../../scenarios/report/summary.ts';
import { textTable } from '../../../scenarios/report/text-table.ts';
import { RoundReport } from '../../../shared/protocol/report.ts';
import { aManifest, someReports } from '../../support/a-report.ts';

describe('the summary of a run', () => {
  const reports = someReports({ rounds: 5 }, 4);
  const last = reports.at(-1)!;
  const text = summaryTable(aManifest(), reports);
  const line = (label: string) => text.split('\n').find((candidate) => candidate.startsWith(`${label} `));

  test('begins with the run and its stamp', () => {
    expect(text.split('\n').slice(0, 3)).toEqual([
      'Four hospitals (run four-hospitals-1, seed 1)',
      '4 of 5 rounds, 4 sites, 8,000 declared users',
      'simulation: not private',
    ]);
  });

  test('names both views of epsilon with delta, limit and unit', () => {
    expect(line('epsilon')).toBe(
      'epsilon      coordinator 3.56 of 4.00; model recipients 1.88; delta 1e-6; per user, add or remove one',
    );
  });

  test('has the clip norm where it adapts', () => {
    const clipping = RoundReport.shape.clipping.parse({
      ...{ clipNorm: 0.31249, fractionWithin: 0.52, nextClipNorm: 0.3094 },
    });
    const told = summaryTable(aManifest(), [{ ...last, clipping }]);
    expect(told).toContain(
      '\nclip norm    0.312, 52.0% of the users within it, noised; 0.309 after this round\n',
    );
    expect(text).not.toContain('clip norm');
  });

  test('shows first, best and last utility', () => {
    const values = reports.map(({ utility }) => utility.value);
    const best = Math.max(...values);
    expect(line('utility')).toContain(
      `last ${values[3]!.toFixed(3)}, first ${values[0]!.toFixed(3)}, best ${best.toFixed(3)}`,
    );
  });

  test('lists every attack once, the declared one first', () => {
    const attacks = text
      .split('\n')
      .filter((row) => /^(mean log-ratio|offline RMIA|trajectory slope)/.test(row));
    expect(attacks.map((row) => row.split('  ')[0])).toEqual([
      'mean log-ratio (declared)',
      'offline RMIA',
      'trajectory slope',
    ]);
    expect(attacks[0]).toContain(last.audit.user.auc.toFixed(3));
    expect(attacks[0]).toMatch(/n\/a$/);
  });

  test('holds control, detectable effect, hash, refused messages and time', () => {
    const refused = { STALE_ROUND: 2, BAD_SIGNATURE: 1_000 };
    const told = summaryTable(aManifest(), [{ ...last, refused, seconds: 2.5 }]);
    for (const part of [
      'control      passed, AUC 0.501 [0.462, 0.540] on permuted labels; passed in 1 of 1 round',
      'detectable   AUC 0.552 (power 0.8 at level 0.05)',
      `sha256 ${last.modelSha256}`,
      'refused      1,002 messages: STALE_ROUND 2, BAD_SIGNATURE 1,000',
      'time         2.5 s, 2.5 s a round',
      '(holm; 6 groups tested, 1 not testable)',
    ])
      expect(told).toContain(part);
  });

  test('ends with the published figures', () => {
    expect(text).toContain('auc         0.672  Strack et al. 2014  pooled data, no privacy\n');
  });

  test('a run without a round has one all the same', () => {
    expect(summaryTable({ ...aManifest(), published: [] }, [])).toBe(
      'Four hospitals (run four-hospitals-1, seed 1)\n0 rounds, 4 sites, 8,000 declared users\nsimulation: not private\n\nno round was finished\n',
    );
  });

  test('a private run bears no stamp', () => {
    const real = reports.map((report) => ({ ...report, privacy: 'private' as const }));
    const manifest = { ...aManifest(), privacy: 'private' as const, seed: null };
    expect(summaryTable(manifest, real)).not.toContain('simulation');
    expect(summaryTable(manifest, reports)).toContain('simulation: not private');
  });
});

describe('the summary over seeds', () => {
  test('says how many runs stand behind each figure', () => {
    const runs = [1, 2, 3].map((seed) => ({
      seed,
      manifest: aManifest(seed),
      reports: someReports({ seed, rounds: 3 }, seed),
    }));
    const { text, rows } = seedsSummary(runs);
    expect(text.split('\n').slice(0, 4)).toEqual([
      '3 seeds: 1, 2, 3',
      'simulation: not private',
      'rounds finished: 1, 2, 3',
      'controls passed at the last round: 3 of 3',
    ]);
    expect(text).toMatch(/test AUC +0\.\d{3} +0\.\d{3} +3 +0\.672 \(Strack et al\. 2014\)/);
    expect(rows[0]).toMatchObject({ figure: 'test AUC', values: { length: 3 } });
  });
});

test('columns line up', () => {
  expect(
    textTable(
      ['name', 'n', 'why'],
      [
        ['a', '10', 'x'],
        ['longer', '5', 'because'],
      ],
      ['why'],
    ),
  ).toEqual(['name     n  why', 'a       10  x', 'longer   5  because']);
});
