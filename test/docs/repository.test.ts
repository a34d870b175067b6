import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { codeBlocks, documents, read, repositoryFiles } from './documents.ts';

const files = repositoryFiles();

/** An anchor as code hosts make it from a heading. */
function anchor(heading: string): string {
  const text = heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '');
  return text.replaceAll(' ', '-');
}

function anchors(file: string): string[] {
  return [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading));
}

describe('documents', () => {
  test('are all there', () => {
    const expected = ['CHANGELOG.md', 'README.md'].concat(
      ['architecture', 'auditing', 'data', 'errors', 'privacy', 'protocol', 'scenarios'].map(
        (name) => `docs/${name}.md`,
      ),
    );
    expect(documents()).toEqual(expect.arrayContaining(expected));
    expect(read('LICENSE')).toMatch(/Apache License\s+Version 2\.0/);
    expect(read('LICENSE')).toContain('END OF TERMS AND CONDITIONS');
  });

  test('link to files and headings that exist', () => {
    const broken = documents().flatMap((file) =>
      [...read(file).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = '']) => target)
        .filter((target) => !/^https?:/.test(target))
        .filter((target) => {
          const [path = '', heading] = target.split('#');
          const linked = path === '' ? file : join(dirname(file), path);
          if (!existsSync(linked)) return true;
          return heading !== undefined && !anchors(linked).includes(heading);
        })
        .map((target) => `${file}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('every document is linked from the README, and sources name documents that exist', () => {
    const readme = read('README.md');
    expect(documents().filter((file) => file !== 'README.md' && !readme.includes(`(${file}`))).toEqual([]);
    const named = files
      .filter((file) => /\.(ts|js|cjs|yaml|sh)$/.test(file) && !file.startsWith('test/'))
      .flatMap((file) => read(file).match(/docs\/[\w-]+\.(md|json)/g) ?? []);
    expect(named.length).toBeGreaterThan(5);
    expect([...new Set(named)].filter((file) => !existsSync(file))).toEqual([]);
  });

  test('name source files that exist, and functions that are in them', () => {
    const sources = files.filter((file) => file.endsWith('.ts'));
    const wrong = documents().flatMap((document) =>
      [...read(document).matchAll(/`([\w/.-]+\.ts)`((?:,? `\w+`)*)/g)].flatMap(
        ([, path = '', after = '']) => {
          const candidates = sources.filter((file) => file === path || file.endsWith(`/${path}`)).map(read);
          if (candidates.length === 0) return [`${document}: ${path}`];
          const names = [...after.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
          const has = (name: string): boolean => candidates.some((text) => text.includes(name));
          return names.filter((name) => !has(name)).map((name) => `${document}: ${name} of ${path}`);
        },
      ),
    );
    expect(wrong).toEqual([]);
  });

  test("the glossary's code names are in the sources", () => {
    const page = read('docs/architecture.md');
    const glossary = page.slice(page.indexOf('## Glossary'), page.indexOf('## Bans'));
    const cells = [...glossary.matchAll(/^\| [^|]+ \| ([^|]*) \|/gm)].map(([, cell = '']) => cell);
    const names = cells
      .flatMap((cell) => [...cell.matchAll(/`(\w+)/g)])
      .map(([, name = '']) => name)
      .filter((name) => !existsSync(name));
    expect(names.length).toBeGreaterThan(30);
    const sources = files.filter((file) => /^(shared|client|coordinator|scenarios)\/.*\.ts$/.test(file));
    const text = sources.map(read).join('\n');
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });
});

const Package = z.object({
  scripts: z.record(z.string(), z.string()),
  engines: z.object({ node: z.string() }),
  optionalDependencies: z.record(z.string(), z.string()),
});

describe('README.md', () => {
  const readme = read('README.md');
  const { scripts, engines, optionalDependencies } = Package.parse(JSON.parse(read('package.json')));

  test('begins with the two commands, whose scripts exist and whose files do too', () => {
    expect(codeBlocks(readme, 'sh')[0]).toBe('npm ci && npm start\nnpm ci && npm test\n');
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'test']));
    const started = /simulate (\S+)/.exec(scripts['start'] ?? '')?.[1] ?? '';
    expect(existsSync(started)).toBe(true);
    const directory = /--out (\S+)/.exec(scripts['start'] ?? '')?.[1] ?? '';
    expect(readme).toContain(`\`${directory}/report.html\``);
    const npmTest = /bash (\S+)/.exec(scripts['test'] ?? '')?.[1] ?? '';
    expect(existsSync(npmTest)).toBe(true);
  });

  test('has at most 200 lines, the Node versions and the optional packages', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(200);
    expect(engines.node).toBe('^20.19.0 || ^22.12.0 || >=24.0.0');
    expect(readme).toContain('Node 20.19+, 22.12+ or 24+.');
    for (const name of Object.keys(optionalDependencies)) expect(readme).toContain(`\`${name}\``);
  });
});

describe('committed files', () => {
  const texts = files
    .filter((file) => existsSync(file) && statSync(file).isFile())
    .map((file) => ({
      file,
      text: read(file),
    }));

  test('hold no path of the machine that they were written on', () => {
    const here = [resolve('.'), dirname(resolve('.')), homedir()].filter((path) => path.length > 1);
    const found = texts.filter(({ text }) => here.some((path) => text.includes(`${path}/`)));
    expect(found.map(({ file }) => file)).toEqual([]);
    const absolute = /(?<![\w.~*)}\]-])\/(?:root|home|Users|w[o]rk|mnt|srv)\/\w/;
    expect(texts.filter(({ text }) => absolute.test(text)).map(({ file }) => file)).toEqual([]);
  });

  test('name no package registry, so that an install asks the one that its user configured', () => {
    const hosts = /\bregistry[.][a-z]|npmjs[.](?:org|com)|"resolved"[:]/i;
    expect(texts.filter(({ text }) => hosts.test(text)).map(({ file }) => file)).toEqual([]);
  });
});
