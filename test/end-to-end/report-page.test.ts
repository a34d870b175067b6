import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assess } from '../../scenarios/assess/assess.ts';
import { assessHtml } from '../../scenarios/assess/assess-page.ts';
import { questionIds, sectionIds } from '../../scenarios/assess/questions.ts';
import { auditHtml } from '../../scenarios/audit/audit-page.ts';
import { type Audited, auditRows } from '../../scenarios/audit/audited.ts';
import { reportHtml, seedsHtml } from '../../scenarios/report/html.ts';
import { Manifest } from '../../shared/protocol/manifest.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import { aManifest, aReport, someReports } from '../support/a-report.ts';
import { aSubject } from '../support/a-subject.ts';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const attack = `"'><img src=x onerror="globalThis.struck=1"><script>globalThis.struck=1</script></title></style>&<svg/onload=globalThis.struck=1>`;

/** A page whose every free text tries to run a script. */
function hostilePage(): string {
  const report = aReport();
  const [group] = report.audit.groups;
  const hostile = RoundReport.parse({
    ...report,
    sites: {
      ...report.sites,
      answered: ['north'],
      declined: [{ site: 'south', code: attack, detail: attack }],
      missing: ['east', 'west'],
    },
    audit: {
      ...report.audit,
      user: { ...report.audit.user, attack },
      worstGroup: { ...report.audit.worstGroup!, column: attack, value: attack },
      groups: [
        { ...group!, column: attack, value: attack, rejected: true },
        { status: 'not-testable', column: attack, value: attack, members: 1, heldOut: 1, reason: attack },
      ],
    },
    policy: { action: 'stop', reasons: [attack] },
    refused: { [attack]: 3 },
  });
  const manifest = Manifest.parse({
    ...aManifest(),
    name: attack,
    description: attack,
    versions: { [attack]: attack },
    config: { [attack]: { nested: [attack] } },
    published: [{ source: attack, metric: 'auc', value: 0.7, note: attack }],
  });
  return reportHtml({ manifest, reports: [hostile] });
}

/** What `parley audit` found, with rows of every attacker. */
function anAudit(words: string): Audited {
  const { audit } = aReport();
  const found = audit.user;
  return {
    ...{ title: words, privacy: 'simulation: not private', caveats: [words], numShadows: 8 },
    audit: {
      ...audit,
      attacks: [...audit.attacks, { ...found, attack: words }],
      worstGroup: { ...audit.worstGroup!, value: words },
      notMeasured: [{ attack: 'rmia', reason: words }],
    },
    likelihoodRatios: [{ ...found, attack: 'lira-online' }],
    mislabelled: [{ ...found, attack: 'lira-offline' }],
    redTeam: [{ ...found, attack: words, role: 'coordinator, every update', members: 9, heldOut: 7 }],
  };
}

const runs = [1, 2, 3].map((seed) => ({
  seed,
  manifest: aManifest(seed),
  reports: someReports({ seed, rounds: 12 }),
}));
const pages: Readonly<Record<string, { html: string; sections: readonly string[] }>> = {
  run: {
    html: reportHtml({ manifest: aManifest(), reports: someReports() }),
    sections:
      'headline verdict rounds utility epsilon leakage tpr attacks roc subpopulations sites published claims configuration'.split(
        ' ',
      ),
  },
  'first-round': {
    html: reportHtml({ manifest: aManifest(), reports: someReports({}, 1) }),
    sections: ['headline', 'utility', 'epsilon', 'leakage', 'roc', 'claims'],
  },
  'no-round': {
    html: reportHtml({ manifest: aManifest(), reports: [] }),
    sections: ['verdict', 'sites', 'published', 'claims', 'configuration'],
  },
  hostile: {
    html: hostilePage(),
    sections: ['headline', 'subpopulations', 'sites', 'published', 'configuration'],
  },
  audit: { html: auditHtml(anAudit('small, run small-1, model of round 3')), sections: ['attacks', 'text'] },
  'hostile-audit': { html: auditHtml(anAudit(attack)), sections: ['attacks', 'text'] },
  assessment: {
    html: assessHtml(assess(aSubject({ against: ['model'] }))),
    sections: ['in-words', 'gaps', ...sectionIds, ...questionIds],
  },
  'hostile-assessment': {
    html: assessHtml(assess(aSubject({ words: attack, against: [attack, 'model'] }))),
    sections: ['in-words', ...sectionIds, ...questionIds],
  },
  seeds: { html: seedsHtml(runs), sections: ['means', 'rounds', 'utility', 'leakage', 'seeds', 'claims'] },
};

describe.runIf(existsSync(executablePath))('the report page in a browser', () => {
  let browser: Browser;
  let folder: string;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args });
    folder = await mkdtemp(join(tmpdir(), 'parley-report-'));
    for (const [name, { html }] of Object.entries(pages)) await writeFile(join(folder, `${name}.html`), html);
  });

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  async function open(name: string, width: number, colorScheme: 'light' | 'dark' = 'light') {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const url = pathToFileURL(join(folder, `${name}.html`)).href;
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(url);
    return { page, url, requests, complaints };
  }

  test.each(Object.keys(pages))(
    '%s loads nothing, complains of nothing and has its sections',
    async (name) => {
      const { page, url, requests, complaints } = await open(name, 1280);
      expect(requests.filter((request) => request !== url && !request.startsWith('data:'))).toEqual([]);
      expect(complaints).toEqual([]);
      for (const id of pages[name]!.sections) expect(await page.locator(`[id="${id}"]`).count(), id).toBe(1);
      const twice = await page.evaluate<string[]>(
        `[...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, i, all) => all.indexOf(id) !== i)`,
      );
      expect(twice).toEqual([]);
      expect(
        await page.evaluate('document.compatMode + document.characterSet + document.documentElement.lang'),
      ).toBe('CSS1CompatUTF-8en');
      await page.close();
    },
  );

  test.each(Object.keys(pages))('%s never scrolls sideways', async (name) => {
    for (const width of [1280, 390]) {
      const { page } = await open(name, width);
      expect(await page.evaluate('document.documentElement.scrollWidth'), String(width)).toBe(width);
      await page.close();
    }
  });

  test.each(Object.keys(pages))(
    '%s is well-formed: the parser neither adds, drops nor moves an element',
    async (name) => {
      const { page } = await open(name, 1280);
      const source = pages[name]!.html.replace(/<style>[^]*?<\/style>/, '<style></style>');
      const written = [...source.matchAll(/<([a-z][a-z0-9]*)[\s/>]/g)].map(([, tag]) => tag);
      const parsed = await page.evaluate<string[]>(
        `[...document.querySelectorAll('*')].map((e) => e.tagName.toLowerCase())`,
      );
      expect(parsed).toEqual(written);
      await page.close();
    },
  );

  test.each([
    ['hostile', attack],
    ['hostile-audit', `Audit: ${attack}`],
    ['hostile-assessment', `Assessment: ${attack}`],
  ])('hostile text stays text in %s', async (name, heading) => {
    const { page, complaints } = await open(name, 1280);
    expect(await page.evaluate('globalThis.struck')).toBe(undefined);
    expect(await page.locator('script, img, iframe, object, form, [onerror], [onload]').count()).toBe(0);
    expect(await page.title()).toBe(`${attack} – Parley report`);
    expect(await page.locator('h1').textContent()).toBe(heading);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('an audit has a row for every attack of every attacker, with its interval as text and drawn', async () => {
    const { page } = await open('audit', 1280);
    const rows = auditRows(anAudit('x'));
    expect(await page.locator('#attacks tbody tr').count()).toBe(rows.length);
    expect(await page.locator('#attacks tbody tr svg, #attacks tbody tr .mark').count()).toBe(rows.length);
    for (const attacker of ['global models', '8 shadow federations', 'coordinator, every update'])
      expect(
        await page.locator('#attacks tbody td', { hasText: attacker }).count(),
        attacker,
      ).toBeGreaterThan(0);
    expect(await page.locator('header ~ p.note').first().textContent()).toBe('simulation: not private');
    await page.close();
  });

  test.each([
    ['run', 'light'],
    ['run', 'dark'],
    ['audit', 'light'],
    ['audit', 'dark'],
    ['assessment', 'light'],
    ['assessment', 'dark'],
  ] as const)('text of the %s can be read in the %s', async (name, scheme) => {
    const { page } = await open(name, 1280, scheme);
    expect(await page.evaluate<number>(leastContrast)).toBeGreaterThanOrEqual(4.5);
    await page.close();
  });

  test('charts are named and tables have headers for rows and columns', async () => {
    const { page } = await open('run', 1280);
    const charts = page.getByRole('img');
    expect(await charts.count()).toBe(5);
    for (const name of ['What the model is worth', 'What was promised', 'What leaks', 'The declared attack'])
      expect(await page.getByRole('img', { name }).count(), name).toBe(1);
    const bare = await page.evaluate<number>(
      `[...document.querySelectorAll('table')].filter((t) => !t.caption || !t.querySelector('thead th[scope=col]') || !t.querySelector('tbody th[scope=row]')).length`,
    );
    expect(bare).toBe(0);
    await page.close();
  });
});

/** Least WCAG contrast between the colour of any text and what lies behind it. */
const leastContrast = `(() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour[3] !== 0) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('body *')].filter((e) =>
    e.tagName !== 'title' && e.tagName !== 'desc' && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return Math.min(...texts.map((e) => {
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(e.namespaceURI.endsWith('svg') ? style.fill : style.color).slice(0, 3)), light(behind(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
})()`;
