import type { Terminal } from '../terminal.ts';
import { dataSets, describeDataSets } from './catalog.ts';
import { dataCacheDirectory } from './data-directory.ts';
import { dataSetNamed, fetchDataSet } from './fetch.ts';

/** `parley data list`: what there is, its licence and how to get it. */
export function listCommand(terminal: Terminal): void {
  terminal.say(describeDataSets());
  terminal.emit({ dataSets });
}

/** `parley data fetch`: the public original, checked by SHA-256, into the data directory or the cache. */
export async function fetchCommand(
  name: string,
  { dataDir, mirror }: { dataDir?: string; mirror?: string },
  terminal: Terminal,
): Promise<void> {
  const directory = dataDir ?? dataCacheDirectory(process.env);
  const files = await fetchDataSet({
    dataSet: dataSetNamed(name),
    directory,
    ...(mirror !== undefined && { mirror }),
  });
  terminal.say(files.join('\n'));
  terminal.emit({ files });
}
