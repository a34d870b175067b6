/** What is used of an open SQLite database here, so that the core reaches no driver. */
export interface Sqlite {
  readonly prepare: (sql: string) => { raw(): { all(): unknown[] } };
  readonly exec: (sql: string) => unknown;
}

/** The first column of what a query gives. */
export function column(database: Sqlite, query: string): unknown[] {
  return database
    .prepare(query)
    .raw()
    .all()
    .map((row: unknown) => (Array.isArray(row) ? (row[0] as unknown) : row));
}

/** What all tables and indices were made by. Throws what SQLite throws. */
export function definitions(database: Sqlite): readonly string[] {
  // As hexadecimal digits: the driver ends the process on a text that is not UTF-8.
  const digits = column(database, 'select hex(sql) from sqlite_schema where sql is not null');
  return digits.map((one) => Buffer.from(String(one), 'hex').toString('latin1'));
}

/** SQLite's own verdict on a file: `ok`, or its first fault, also of an index that misses rows. Throws what SQLite throws. */
export function verdictOn(database: Sqlite): string {
  return String(column(database, 'pragma integrity_check(1)')[0]);
}

/**
 * Take a file that is a lock: held by an open transaction, it goes back to the system when the process ends, however it ends. Throws
 * what SQLite throws when somebody else has it.
 */
export function takeLock(database: Sqlite): void {
  database.exec('pragma journal_mode = memory');
  database.exec('begin exclusive');
}

/** Whether SQLite failed because the machine does not let us use the file; else it is damaged, or the fault is ours. */
export function isOfMachine(error: unknown): boolean {
  const isNamed = /^SQLITE_(BUSY|LOCKED|READONLY|CANTOPEN|FULL|IOERR|PERM|NOMEM)/.test(codeOf(error));
  return isNamed || (error instanceof Error && error.message.includes(takenBack));
}

/** An error's code, such as SQLITE_FULL; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** What is left to say of a transaction that SQLite itself has taken back: it does so where the disk is full or fails. */
const takenBack = 'no transaction is active';
