import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { vi } from 'vitest';

/** Words of a command line, as a shell sees them. */
export function wordsOf(line: string): string[] {
  const text = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return text.split('\0').slice(0, -1);
}

/** Parses a line `parley ...` by the real command, which runs nothing; rejects with commander's error where it would not run. */
export async function commandParser(): Promise<(line: string) => Promise<void>> {
  const parse = vi.spyOn(Command.prototype, 'parseAsync').mockResolvedValue(new Command());
  await import('../../parley.ts');
  const [real] = parse.mock.contexts;
  parse.mockRestore();
  if (!(real instanceof Command)) throw new Error('parley.ts parses no command line');
  const ran: string[] = [];
  for (const command of allOf(real)) {
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    // Of a command with subcommands there is no action to replace: by itself it shows its help.
    if (command.commands.length === 0) command.action(() => void ran.push(command.name()));
  }
  return async (line) => {
    const [name, ...args] = wordsOf(line);
    if (name !== 'parley') throw new Error(`${line} is no command of parley`);
    const before = ran.length;
    await real.parseAsync(args, { from: 'user' });
    if (ran.length === before) throw new Error(`${line} runs nothing`);
  };
}

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)];
}
