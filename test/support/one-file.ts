import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';

/** Native code, and what is loaded only for models that tests of processes do not use. */
const apart = ['libsql', '@tensorflow/*'];

/**
 * A script and all that it imports as one file, for a test that starts it often: it is up after 0.3 s of processor time, the
 * sources by tsx take 1.4 s. esbuild is the one that tsx brings along. The file goes when the test has finished.
 */
export function oneFile(script: string): string {
  mkdirSync(resolve('node_modules', '.cache'), { recursive: true });
  // There the packages left apart are found.
  const folder = mkdtempSync(resolve('node_modules', '.cache', 'one-file-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const tsx = createRequire(import.meta.url).resolve('tsx/package.json');
  const esbuild = dirname(createRequire(tsx).resolve('esbuild/package.json'));
  const require =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  execFileSync(join(esbuild, 'bin', 'esbuild'), [
    script,
    ...['--bundle', '--platform=node', '--format=esm', '--minify', '--splitting', '--log-level=warning'],
    ...apart.map((name) => `--external:${name}`),
    `--banner:js=${require}`,
    `--outdir=${folder}`,
    '--out-extension:.js=.mjs',
  ]);
  return join(folder, basename(script).replace(/\.ts$/, '.mjs'));
}
