import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasBrowser, openBrowser, type PageBrowser } from '../support/page-browser.ts';
import { attack, pages } from '../support/report-pages.ts';

describe.runIf(hasBrowser)('the report page in a browser', () => {
  let browser: PageBrowser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  test.each(Object.keys(pages))(
    '%s loads nothing, complains of nothing and has its sections',
    async (name) => {
      const { page, url, requests, complaints } = await browser.open(name, 1280);
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
      const { page } = await browser.open(name, width);
      expect(await page.evaluate('document.documentElement.scrollWidth'), String(width)).toBe(width);
      await page.close();
    }
  });

  test.each(Object.keys(pages))(
    '%s is well-formed: the parser neither adds, drops nor moves an element',
    async (name) => {
      const { page } = await browser.open(name, 1280);
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
    const { page, complaints } = await browser.open(name, 1280);
    expect(await page.evaluate('globalThis.struck')).toBe(undefined);
    expect(await page.locator('script, img, iframe, object, form, [onerror], [onload]').count()).toBe(0);
    expect(await page.title()).toBe(`${attack} – Parley report`);
    expect(await page.locator('h1').textContent()).toBe(heading);
    expect(complaints).toEqual([]);
    await page.close();
  });
});
