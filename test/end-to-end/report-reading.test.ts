import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditRows } from '../../scenarios/audit/audited.ts';
import { hasBrowser, openBrowser, type PageBrowser } from '../support/page-browser.ts';
import { anAudit } from '../support/report-pages.ts';

describe.runIf(hasBrowser)('the report page in a browser', () => {
  let browser: PageBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  test('an audit has a row for every attack of every attacker, with its interval as text and drawn', async () => {
    const { page } = await browser.open('audit', 1280);
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
    const { page } = await browser.open(name, 1280, scheme);
    expect(await page.evaluate<number>(leastContrast)).toBeGreaterThanOrEqual(4.5);
    await page.close();
  });

  test('charts are named and tables have headers for rows and columns', async () => {
    const { page } = await browser.open('run', 1280);
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
