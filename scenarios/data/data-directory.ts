import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ParleyError } from '../../shared/errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where fetched data sets are kept: `$XDG_CACHE_HOME/parley/data`, else `~/.cache/parley/data`. */
export function dataCacheDirectory(env: Environment): string {
  return join(cacheHome(env), 'parley', 'data');
}

function cacheHome(env: Environment): string {
  const declared = env['XDG_CACHE_HOME'];
  return declared === undefined || declared === '' ? join(homedir(), '.cache') : declared;
}

/** Where data files are looked for, in order: the command's `--data-dir`, `PARLEY_DATA`, the cache. */
export function dataDirectories(env: Environment, dataDir?: string): string[] {
  const named = [dataDir, env['PARLEY_DATA']].filter((directory) => directory !== undefined);
  return [...named.filter((directory) => directory !== ''), dataCacheDirectory(env)];
}

/**
 * The first of the directories that holds the file, as a path. `name` is a path below a data directory, such as
 * `heart/heart-va.csv`. Throws FILE_NOT_FOUND with the places searched.
 */
export async function resolveDataFile(name: string, directories: readonly string[]): Promise<string> {
  for (const directory of directories) {
    const file = join(directory, name);
    if (await exists(file)) return file;
  }
  throw new ParleyError(
    'FILE_NOT_FOUND',
    `no data file ${name} in ${directories.join(', ')}: name its directory with --data-dir or PARLEY_DATA, or see \`parley data list\` for how to get it`,
  );
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
