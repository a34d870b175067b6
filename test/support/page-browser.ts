import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { pages } from './report-pages.ts';

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

/** Whether this machine has a browser to show pages in. */
export const hasBrowser = existsSync(executablePath);

/** A page as a browser shows it. */
export interface OpenPage {
  readonly page: Page;
  readonly url: string;
  /** Every address that was asked for. */
  readonly requests: readonly string[];
  /** What the console was told, and errors. */
  readonly complaints: readonly string[];
}

/** A browser with every report page in a folder. */
export interface PageBrowser {
  /** Show the page of this name in a window of this width. */
  open(name: string, width: number, colorScheme?: 'light' | 'dark'): Promise<OpenPage>;
  /** End the browser, and remove the folder. */
  close(): Promise<void>;
}

/** Start a browser, and lay out the report pages for it. */
export async function openBrowser(): Promise<PageBrowser> {
  const browser = await chromium.launch({ executablePath, args });
  const folder = await mkdtemp(join(tmpdir(), 'parley-report-'));
  for (const [name, { html }] of Object.entries(pages)) await writeFile(join(folder, `${name}.html`), html);
  return {
    open: async (name, width, colorScheme = 'light') => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      const url = pathToFileURL(join(folder, `${name}.html`)).href;
      const requests: string[] = [];
      const complaints: string[] = [];
      page.on('request', (request) => requests.push(request.url()));
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(url);
      return { page, url, requests, complaints };
    },
    close: async () => {
      await browser.close();
      await rm(folder, { recursive: true });
    },
  };
}
