import Database from 'libsql';
import { ParleyError } from '../../shared/errors.ts';
import { codeOf, takeLock } from '../../shared/sqlite.ts';
import { databaseIn } from './database.ts';

/**
 * Keep every other coordinator, in this process or another, off a run directory until the function that is returned is called.
 * The run itself stays readable.
 *
 * @throws DIRECTORY_UNWRITABLE when the run is in use, or the file cannot be made.
 */
export function lockRun(directory: string): () => void {
  const path = `${databaseIn(directory)}.lock`;
  return lockFile(path, {
    what: `the run ${directory}`,
    user: 'a coordinator or simulation leads it',
    otherwise: 'name another directory',
  });
}

/** How a lock that is not to be had is told of. */
interface Locked {
  /** What is locked. */
  readonly what: string;
  /** Who has it. */
  readonly user: string;
  /** What helps beside ending whoever has it. */
  readonly otherwise: string;
}

/**
 * Lock a file, made when it is not there, until the function that is returned is called. The lock is that of an open transaction,
 * so the system takes it back when the process ends, however it ends.
 *
 * @throws DIRECTORY_UNWRITABLE when somebody else has the lock, also within this process, or the file cannot be made.
 */
export function lockFile(path: string, locked: Locked): () => void {
  try {
    const lock = begun(path);
    return () => {
      lock.close();
    };
  } catch (cause) {
    throw refusal(path, locked, cause);
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

function refusal(path: string, { what, user, otherwise }: Locked, cause: unknown): ParleyError {
  const isTaken = codeOf(cause) === 'SQLITE_BUSY';
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ParleyError(
    'DIRECTORY_UNWRITABLE',
    isTaken
      ? `${what} is in use: ${user} (its file ${path} is locked); end that first, or ${otherwise}`
      : `${what} cannot be locked (${path}: ${reason}): correct the permissions, or ${otherwise}`,
    { cause },
  );
}
