import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { documents, read } from './documents.ts';

interface Help {
  /** Words after `parley`, such as `data fetch`. */
  readonly command: string;
  readonly text: string;
}

function helpOf(words: readonly string[]): Help[] {
  const args = ['--import', 'tsx', 'parley.ts', ...words, '--help'];
  const text = execFileSync(process.execPath, args, { encoding: 'utf8' });
  const listed = text.split('Commands:\n')[1]?.split('\n\n')[0] ?? '';
  const names = [...listed.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name);
  const subcommands = names.filter((name) => name !== 'help');
  return [{ command: words.join(' '), text }, ...subcommands.flatMap((name) => helpOf([...words, name]))];
}

describe('the command', () => {
  let helps: readonly Help[] = [];
  const text = documents().map(read).join('\n');
  const readme = read('README.md');

  beforeAll(() => {
    helps = helpOf([]);
  });

  test('has subcommands, all of them in the README', () => {
    const commands = helps.map(({ command }) => command).filter((command) => command !== '');
    expect(commands).toEqual(
      expect.arrayContaining(['simulate', 'coordinator', 'client', 'keys', 'data fetch']),
    );
    expect(
      commands.filter((command) => !readme.includes(`\`parley ${command}`) && command !== 'data'),
    ).toEqual([]);
  });

  test('has no option, argument or exit code that the documents do not mention', () => {
    const options = helps.flatMap(
      (help) => help.text.match(/(?<=^ {2}(?:-\w, )?)--[a-z-]+( <\w+>)?/gm) ?? [],
    );
    expect(options).toEqual(
      expect.arrayContaining(['--out <directory>', '--in-process', '--json', '--help']),
    );
    expect(options.filter((option) => !text.includes(`\`${option}\``))).toEqual([]);
    const uses = helps.map((help) => /^Usage: (parley .*)$/m.exec(help.text)?.[1] ?? '');
    const calls = uses.map((use) => use.replace(' [options]', '')).filter((use) => /<\w+>/.test(use));
    expect(calls.length).toBeGreaterThan(4);
    expect(calls.filter((call) => !readme.includes(`\`${call}\``))).toEqual([]);
    const [codes = ''] = /(?<=Exit codes: ).*?(?=\. docs)/s.exec(helps[0]?.text ?? '') ?? [];
    const sentence = readme
      .replaceAll(/\s+/g, ' ')
      .replace(' (also when the leakage policy stopped the run)', '');
    expect(codes.split(', ').length).toBeGreaterThan(7);
    expect(sentence).toContain(`Exit codes: ${codes.replaceAll(/\s+/g, ' ')}.`);
  });

  test('has no command that the README invents', () => {
    const known = new Set(helps.map(({ command }) => command.split(' ')[0]));
    const named = [...text.matchAll(/`parley ([a-z]+)/g)].map(([, command = '']) => command);
    expect(named.filter((command) => command !== 'help' && !known.has(command))).toEqual([]);
  });
});
