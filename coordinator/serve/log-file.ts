import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { appended, type Content, emptyLog, type Head, nextContent, writtenByOthers } from './query-log.ts';

/** The query log on disk. */
export interface LogFile {
  /**
   * Append a line; it is with the operating system when this returns, and on the disk a second later. Gives its position.
   *
   * @throws QUERY_LOG_CORRUPT when somebody else has written to the file.
   */
  readonly append: (content: Content) => number;
  readonly close: () => void;
}

const syncEveryMs = 1000;
const chunkBytes = 1 << 20;

/**
 * Open a query log, made when it is not there, and hand every line to `take` with its position. A last line without its end,
 * as a power cut leaves it, was never answered to and is cut off; `note` hears of it.
 *
 * @throws QUERY_LOG_CORRUPT for anything else that is not a chain.
 */
export function openLog(
  path: string,
  { take, note }: { take: (content: Content, position: number) => void; note: (text: string) => void },
): LogFile {
  const file = openSync(path, 'a+', 0o600);
  let head: Head;
  let size: number;
  try {
    ({ head, size } = readAll(file, path, take));
    if (fstatSync(file).size > size) note(`${path}: an unfinished last line was cut off`);
    ftruncateSync(file, size);
  } catch (error) {
    closeSync(file);
    throw error;
  }
  let isDirty = false;
  const sync = (): void => {
    if (isDirty) fdatasyncSync(file);
    isDirty = false;
  };
  const timer = setInterval(sync, syncEveryMs);
  timer.unref();
  return {
    append: (content) => {
      if (fstatSync(file).size !== size) throw writtenByOthers(path);
      const next = appended(head, content);
      const line = Buffer.from(`${next.line}\n`);
      writeWhole(file, line, size);
      isDirty = true;
      head = next.head;
      size += line.length;
      return head.length - 1;
    },
    close: () => {
      clearInterval(timer);
      sync();
      closeSync(file);
    },
  };
}

/** Half a line would break the chain: on a full disk nothing stays of it. */
function writeWhole(file: number, bytes: Buffer, size: number): void {
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
  } catch (error) {
    ftruncateSync(file, size);
    throw error;
  }
}

function readAll(
  file: number,
  path: string,
  take: (content: Content, position: number) => void,
): { readonly head: Head; readonly size: number } {
  let head = emptyLog;
  let size = 0;
  let rest = Buffer.alloc(0);
  const chunk = Buffer.alloc(chunkBytes);
  for (let at = 0, read = 0; (read = readSync(file, chunk, 0, chunkBytes, at)) > 0; at += read) {
    rest = Buffer.concat([rest, chunk.subarray(0, read)]);
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const next = nextContent(head, rest.toString('utf8', 0, end), path);
      take(next.content, head.length);
      head = next.head;
      size += end + 1;
      rest = rest.subarray(end + 1);
    }
  }
  return { head, size };
}
