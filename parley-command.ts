import { type Command, CommanderError, InvalidArgumentError } from 'commander';
import type { Terminal } from './scenarios/index.ts';
import { errorCodes, ParleyError } from './shared/errors.ts';

/** What every command of `parley.ts` has in common: numbers in arguments, Ctrl-C, exit codes. */
export interface Running {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** The option that every command takes. */
export type Json = { readonly json?: boolean };

/** A whole number of at least 1. Throws InvalidArgumentError, which commander shows with the usage. */
export function integer(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new InvalidArgumentError('a whole number of at least 1 is expected.');
  return Number(text);
}

/** Any number. Throws InvalidArgumentError. */
export function real(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError('a number such as 0.01 or 1e-5 is expected.');
  return value;
}

/** Run a command's body: Ctrl-C ends it cleanly (a second one at once), and every failure has its exit code. */
export async function run({ json }: Json, body: (running: Running) => Promise<void>): Promise<void> {
  const { createTerminal } = await import('./scenarios/index.ts');
  const terminal = createTerminal(process, json === true);
  const stop = new AbortController();
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(130);
    terminal.note('stopping; press Ctrl-C again to quit at once');
    stop.abort();
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    await body({ terminal, signal: stop.signal });
  } catch (error) {
    process.exitCode = failed(error, terminal);
  } finally {
    terminal.end();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/**
 * Run what the command line asks for. What is wrong with the line itself ends as any failure does, under CONFIG_INVALID, with a line of
 * usage on stderr.
 */
export async function runLine(program: Command): Promise<void> {
  // Before any subcommand is run, all of them say nothing by themselves.
  for (const command of withSubcommands(program)) command.configureOutput({ outputError: () => undefined });
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) await refuseLine(error, program);
  }
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

async function refuseLine({ code, message }: CommanderError, program: Command): Promise<void> {
  const words = process.argv.slice(2);
  const { createTerminal } = await import('./scenarios/index.ts');
  const terminal = createTerminal(process, words.includes('--json'));
  const isIncomplete = code === 'commander.help';
  const reason = isIncomplete ? 'a command is missing' : message.replace(/^error: /, '');
  terminal.fail('CONFIG_INVALID', reason.replaceAll(/\s+/g, ' '));
  terminal.end();
  // An incomplete line has shown the whole help.
  if (!isIncomplete) process.stderr.write(`${usageOf(program, words)}\n`);
  process.exitCode = errorCodes.CONFIG_INVALID;
}

/** The usage of the command that the words name, as far as they name one. */
function usageOf(program: Command, words: readonly string[]): string {
  let [command, path] = [program, program.name()];
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    command = next;
    path += ` ${word}`;
  }
  return `Usage: ${path} ${command.usage()}; ${path} --help says more`;
}

function failed(error: unknown, terminal: Terminal): number {
  if (error instanceof ParleyError) {
    terminal.fail(error.code, error.message);
    return error.code === 'INTERRUPTED' ? 130 : errorCodes[error.code];
  }
  terminal.fail('INTERNAL', error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 70;
}

/** What a model file needs to be attacked, or assessed: users whose membership is known, and what the file does not say. */
export function withModelOptions(command: Command): Command {
  return command
    .option('--schema <file>', 'models: data schema of the tables')
    .option('--members <file>', 'models: table of users whose records trained it')
    .option('--held-out <file>', 'models: table of users whose records did not')
    .option('--reference <file>', 'models: more of the latter, to calibrate attacks')
    .option('--spec <file>', 'models: specification of a safetensors file that does not hold it')
    .option('--initial <file>', 'models: the model before training');
}
