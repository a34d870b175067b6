import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ParleyError } from '../../shared/errors.ts';

/**
 * Make a run directory and its folders for models and scores.
 *
 * @throws DIRECTORY_UNWRITABLE when it cannot be made or written to, before anything else happens.
 */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(join(directory, 'models'), { recursive: true });
    mkdirSync(join(directory, 'scores'), { recursive: true });
    accessSync(directory, constants.W_OK);
    accessSync(join(directory, 'models'), constants.W_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `the run directory ${directory} cannot be written to (${reason}); name another one or change its permissions`,
      { cause },
    );
  }
}

/**
 * Write a file so that after a crash it is either whole or absent: temporary file, fsync, rename, fsync of the folder.
 *
 * @throws DIRECTORY_UNWRITABLE.
 */
export function writeDurably(path: string, content: Uint8Array | string, mode = 0o666): void {
  writing(path, () => {
    replace(path, content, mode);
  });
}

/** Add text to a file and wait until the disk has it. Throws DIRECTORY_UNWRITABLE. */
export function appendDurably(path: string, text: string): void {
  writing(path, () => {
    appendFileSync(path, text, { flush: true });
  });
}

function writing(path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${path} cannot be written (${reason}): make room or correct its permissions, then start again`,
      { cause },
    );
  }
}

function replace(path: string, content: Uint8Array | string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, 'w', mode);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  syncDirectory(dirname(path));
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
