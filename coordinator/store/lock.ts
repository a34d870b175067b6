import Database from 'libsql';
import { ParleyError } from '../../shared/errors.ts';
import { takeLock } from '../../shared/sqlite.ts';
import { databaseIn } from './database.ts';

/**
 * Keep every other coordinator, in this process or another, off a run directory until the function that is returned is called.
 * The lock is that of an open transaction on a file of its own, so the system takes it back when the process ends, however it
 * ends; the run itself stays readable.
 *
 * @throws DIRECTORY_UNWRITABLE when the run is in use, or the file cannot be made.
 */
export function lockRun(directory: string): () => void {
  const path = `${databaseIn(directory)}.lock`;
  try {
    const lock = begun(path);
    return () => {
      lock.close();
    };
  } catch (cause) {
    throw refusal(directory, path, cause);
  }
}

function begun(path: string): Database.Database {
  const database = new Database(path);
  try {
    takeLock(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function refusal(directory: string, path: string, cause: unknown): ParleyError {
  const isTaken = cause instanceof Error && 'code' in cause && cause.code === 'SQLITE_BUSY';
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ParleyError(
    'DIRECTORY_UNWRITABLE',
    isTaken
      ? `the run ${directory} is in use: a coordinator or simulation leads it (its file ${path} is locked); end that first, or name another directory`
      : `the run ${directory} cannot be locked (${path}: ${reason}): correct the permissions, or name another directory`,
    { cause },
  );
}
