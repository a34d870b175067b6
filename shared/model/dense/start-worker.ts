import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

const isSource = import.meta.url.endsWith('.ts');
const program = new URL(isSource ? './dense-worker.ts' : './dense-worker.js', import.meta.url);

/** Whether worker threads can be started: their program is missing where all of Parley has been put into one file. */
export function hasWorkerProgram(): boolean {
  return existsSync(fileURLToPath(program));
}

/**
 * Start a worker thread that keeps no process alive. A thread does not inherit the loader of TypeScript sources, so it gets tsx,
 * which everybody who runs from the sources has.
 */
export function startWorker(): Worker {
  const worker = isSource
    ? new Worker(sourceLoader(program.href), { eval: true, execArgv: [] })
    : new Worker(program, { execArgv: [] });
  worker.unref();
  return worker;
}

function sourceLoader(href: string): string {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx'));
  const api = new URL('./esm/api/index.mjs', loader).href;
  const [from, target] = [JSON.stringify(api), JSON.stringify(href)];
  return `import(${from}).then(({ tsImport }) => tsImport(${target}, ${target}))`;
}
