import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reportHtml, seedsHtml } from '../../../scenarios/report/html.ts';
import { html, trusted } from '../../../scenarios/report/markup.ts';
import { RoundReport } from '../../../shared/protocol/report.ts';
import { aManifest, aReport, someReports } from '../../support/a-report.ts';

describe('markup', () => {
  const hostileText = fc.string({
    unit: fc.constantFrom('<', '>', '&', '"', "'", '/', '=', ';', '#', 'a', ' ', '\n', '\u00e9'),
  });

  test('text cannot become markup, in content or in an attribute', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const { markup } = html`<p title="${text}">${text}</p>`;
        const inside = /^<p title="([^"]*)">([^]*)<\/p>$/.exec(markup);
        expect(inside?.[1]).toBe(inside?.[2]);
        expect(inside?.[1]).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
      }),
    );
  });

  test('markup stays, lists are joined, null is nothing', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`);
    expect(html`<ul>${items}</ul>${null}${trusted('<hr>')}${3}`.markup).toBe(
      '<ul><li>a</li><li>&lt;b&gt;</li></ul><hr>3',
    );
  });

  test('control characters, lone surrogates and directional marks are replaced', () => {
    expect(html`${'a\u0000b\u001bc\ud800d\u202ee\n\tf'}`.markup).toBe('a\ufffdb\ufffdc\ufffdd\ufffde\n\tf');
  });
});

describe('the report page', () => {
  test('is a function of its input', () => {
    const run = { manifest: aManifest(), reports: someReports({ rounds: 4 }) };
    expect(reportHtml(run)).toBe(reportHtml(structuredClone(run)));
  });

  test('no figure is broken, with many rounds, one, or none', () => {
    for (const rounds of [0, 1, 2, 50]) {
      const page = reportHtml({ manifest: aManifest(), reports: someReports({ rounds: 50 }, rounds) });
      expect(page).not.toMatch(/NaN|Infinity|undefined|\[object/);
    }
  });

  test('says so when nothing is promised', () => {
    const report = aReport();
    const epsilon = { ...report.epsilon, coordinator: 'infinite' as const, recipients: 'infinite' as const };
    const page = reportHtml({ manifest: aManifest(), reports: [{ ...report, epsilon }] });
    expect(page).toContain('Epsilon is infinite in both views: nothing is promised.');
    expect(page).toContain('ε ∞');
  });

  test('names the defences in use and what each works on', () => {
    const defences: RoundReport['defences'] = [
      { type: 'hamp', class: 'per-user' },
      { type: 'averaging', class: 'server-side' },
    ];
    const page = reportHtml({ manifest: aManifest(), reports: [{ ...aReport(), defences }] });
    expect(page).toContain('The empirical defence hamp is in use (per-user): each user’s update is still');
    expect(page).toContain(
      'The empirical defence averaging is in use (server-side): it works on what was released',
    );
    expect(reportHtml({ manifest: aManifest(), reports: [aReport()] })).not.toContain('is in use (');
  });

  test('shows groups that could not be tested, with the reason', () => {
    expect(reportHtml({ manifest: aManifest(), reports: [aReport()] })).toContain(
      'not testable: fewer than 20 held-out users',
    );
  });

  test('a failed control voids the verdict', () => {
    const report = aReport();
    const negativeControl = { auc: 0.6, low: 0.55, high: 0.65, passed: false };
    const page = reportHtml({
      manifest: aManifest(),
      reports: [{ ...report, audit: { ...report.audit, negativeControl } }],
    });
    expect(page).toContain('Void: the negative control failed');
  });

  test('the stamp is there when it applies, and only then', () => {
    const reports = [{ ...aReport(), privacy: 'private' as const }];
    const manifest = { ...aManifest(), privacy: 'private' as const };
    expect(reportHtml({ manifest, reports })).not.toContain('simulation: not private');
    expect(reportHtml({ manifest: aManifest(), reports })).toContain('class="stamp"');
    expect(seedsHtml([{ seed: 1, manifest: aManifest(), reports }])).toContain('class="stamp"');
  });

  test('the figures of every round have epsilon by Renyi divergences, where a report has it', () => {
    const [first, second] = someReports({ rounds: 3 }, 2);
    const rdp = { coordinator: 3.401, recipients: 'infinite' as const };
    const reports = [first!, { ...second!, epsilon: { ...second!.epsilon, rdp } }];
    const page = reportHtml({ manifest: aManifest(), reports });
    expect(page).toContain('>ε by RDP</th>');
    expect(page).toContain('<td class="number">–</td>');
    expect(page).toContain('<td class="number">3.41, inf</td>');
  });

  test('the clip norm has columns where it adapts, and only there', () => {
    const reports = someReports({ rounds: 3 }, 2);
    const clipping = RoundReport.shape.clipping.parse({
      ...{ clipNorm: 0.31249, fractionWithin: 0.52, nextClipNorm: 0.31 },
    });
    const adapted = reports.map((report) => ({ ...report, clipping }));
    const page = reportHtml({ manifest: aManifest(), reports: adapted });
    expect(page).toContain('>Clip norm C</th>');
    expect(page).toContain('<td class="number">0.312</td>');
    expect(page).toContain('<td class="number">52.0%</td>');
    expect(reportHtml({ manifest: aManifest(), reports })).not.toContain('Clip norm C');
  });

  test('published figures stand beside ours, and the section is absent without them', () => {
    const reports = [aReport()];
    expect(reportHtml({ manifest: aManifest(), reports })).toContain('id="published"');
    expect(reportHtml({ manifest: { ...aManifest(), published: [] }, reports })).not.toContain(
      'id="published"',
    );
  });

  test('a report over seeds survives runs without rounds, and no runs', () => {
    for (const runs of [[], [{ seed: 1, manifest: aManifest(), reports: [] }]])
      expect(seedsHtml(runs)).not.toMatch(/NaN|Infinity|undefined|\[object/);
  });
});
