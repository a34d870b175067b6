import { describe, expect, test } from 'vitest';
import { errorCodes } from '../../shared/errors.ts';
import { read, repositoryFiles } from './documents.ts';

const page = read('docs/errors.md');
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...lines] = section.split('\n');
      return [heading, lines.join('\n')];
    }),
);
/** Codes that the table has and nothing throws: the page has to say so. */
const neverThrown: readonly string[] = [];

describe('docs/errors.md', () => {
  test('has one heading for every code, in the order of the table, and no other', () => {
    expect([...sections.keys()]).toEqual(Object.keys(errorCodes));
    expect(page.match(/^## /gm)).toHaveLength(sections.size);
  });

  test.each(Object.entries(errorCodes))('%s begins with its exit code, %i', (code, exitCode) => {
    const text = sections.get(code) ?? '';
    expect(/^Exit code (\d+)/.exec(text)?.[1]).toBe(String(exitCode));
    expect(neverThrown.includes(code) || /^Do: /m.test(text)).toBe(true);
  });

  test('the table of exit codes has those of the error codes and of the command', () => {
    const rows = [...page.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(rows).toEqual([...new Set([0, ...Object.values(errorCodes), 70, 130])]);
  });

  test('says of exactly the codes that no source throws that nothing throws them', () => {
    const sources = repositoryFiles()
      .filter((file) => /^(parley\.ts|(shared|client|coordinator|scenarios)\/.*\.ts)$/.test(file))
      .filter((file) => file !== 'shared/errors.ts')
      .map(read)
      .join('\n');
    const unused = Object.keys(errorCodes).filter((code) => !sources.includes(`'${code}'`));
    const documented = [...sections].filter(([, text]) => text.includes('Nothing throws it in this version'));
    expect(documented.map(([code]) => code)).toEqual(unused);
    expect(unused).toEqual(neverThrown);
  });
});
