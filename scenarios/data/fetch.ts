import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { unzipSync } from 'fflate';
import { ParleyError } from '../../shared/errors.ts';
import { type DataFile, type DataSet, dataSets, publisher } from './catalog.ts';
import { download } from './download.ts';

/** What to fetch and where to; `mirror` replaces the publisher's address, the archive's path stays. */
export interface FetchOptions {
  readonly dataSet: DataSet;
  readonly directory: string;
  readonly mirror?: string;
}

/** A data set of the catalogue. Throws CONFIG_INVALID for a name that it does not have. */
export function dataSetNamed(name: string): DataSet {
  const found = dataSets.find((dataSet) => dataSet.name === name);
  if (found === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      `no data set is called "${name}": expected one of ${dataSets.map((dataSet) => dataSet.name).join(', ')}`,
    );
  return found;
}

/**
 * Download a data set's original, check every file's content by SHA-256 and put it in place atomically. Files that are
 * there and right are kept, so a second call downloads nothing. Returns the files' paths. Throws DATA_FETCH_FAILED,
 * DATA_HASH_MISMATCH (the download is then removed) and DIRECTORY_UNWRITABLE.
 */
export async function fetchDataSet({
  dataSet,
  directory,
  mirror = publisher,
}: FetchOptions): Promise<string[]> {
  const paths = dataSet.files.map(({ path }) => join(directory, path));
  const present = await Promise.all(dataSet.files.map((file, index) => isPresent(file, paths[index] ?? '')));
  if (present.every(Boolean)) return paths;
  if (dataSet.origin.type === 'by-hand') throw byHand(dataSet, directory);
  const archive = join(directory, `${dataSet.name}.zip.part`);
  await prepare(directory);
  await download(mirror.replace(/\/+$/, '') + dataSet.origin.path, archive);
  try {
    const contents = extract(dataSet, await readFile(archive));
    await Promise.all(contents.map((content, index) => place(content, paths[index] ?? '')));
  } finally {
    await rm(archive, { force: true });
  }
  return paths;
}

async function prepare(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (cause) {
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${directory} cannot be made: expected a directory for data sets; name another one`,
      { cause },
    );
  }
}

async function isPresent(file: DataFile, path: string): Promise<boolean> {
  try {
    const bytes = await readFile(path);
    return digest(path.endsWith('.gz') ? gunzipSync(bytes) : bytes) === file.contentSha256;
  } catch {
    return false;
  }
}

/** Contents of the data set's files, in order, each checked. */
function extract(dataSet: DataSet, archive: Uint8Array): Buffer[] {
  const members = unzipMembers(archive, new Set(dataSet.files.map(({ member }) => member)), dataSet.name);
  return dataSet.files.map((file) => {
    const member = members.get(file.member);
    if (member === undefined)
      throw new ParleyError(
        'DATA_FETCH_FAILED',
        `the archive of ${dataSet.name} has no ${file.member}: the publisher changed it; get the files by hand from ${dataSet.page}`,
      );
    const content = Buffer.concat([Buffer.from(file.headerRow ?? ''), member]);
    const found = digest(content);
    if (found !== file.contentSha256)
      throw new ParleyError(
        'DATA_HASH_MISMATCH',
        `${file.path} from the archive of ${dataSet.name} has SHA-256 ${found} over ${content.length} bytes, expected ${file.contentSha256} over ${file.contentBytes}; it was not kept: try again or name another --mirror`,
      );
    return content;
  });
}

const largestMemberBytes = 256 * 1024 * 1024;

/** The wanted members by their file name, wherever in the archive they stand; others are not unpacked. */
function unzipMembers(
  archive: Uint8Array,
  wanted: ReadonlySet<string>,
  name: string,
): Map<string, Uint8Array> {
  try {
    const unzipped = unzipSync(archive, {
      filter: (member) => wanted.has(basename(member.name)) && member.originalSize <= largestMemberBytes,
    });
    return new Map(Object.entries(unzipped).map(([path, content]) => [basename(path), content]));
  } catch (cause) {
    throw new ParleyError(
      'DATA_FETCH_FAILED',
      `the archive of ${name} is not a whole zip file; it was removed: try again or name another --mirror`,
      { cause },
    );
  }
}

async function place(content: Buffer, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.part`;
  await writeFile(temporary, path.endsWith('.gz') ? gzipSync(content, { level: 9 }) : content);
  await rename(temporary, path);
}

function byHand(dataSet: DataSet, directory: string): ParleyError {
  const steps = dataSet.origin.type === 'by-hand' ? dataSet.origin.steps : '';
  const files = dataSet.files.map(({ path }) => join(directory, path)).join(', ');
  return new ParleyError(
    'DATA_FETCH_FAILED',
    `${dataSet.name} cannot be fetched automatically: ${steps}; get it from ${dataSet.page} and put it at ${files}`,
  );
}

function digest(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
