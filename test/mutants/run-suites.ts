import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { startVitest } from 'vitest/node';
import { z } from 'zod';
import { Edit } from './edit.ts';

/**
 * Runs suites, with one module's text changed as it is loaded, and writes vitest's JSON report. Its one argument is the order as
 * JSON. Nothing is written to the tree: no configuration file, no cache.
 */
const Order = z.strictObject({ suites: z.array(z.string()), report: z.string(), edit: Edit.optional() });

const { suites, report, edit } = Order.parse(JSON.parse(process.argv[2] ?? ''));
const file = edit && resolve(edit.file);

const vitest = await startVitest(
  'test',
  suites,
  {
    config: false,
    watch: false,
    reporters: ['json'],
    outputFile: report,
    pool: 'forks',
    maxWorkers: 1,
    // One red test is enough for a fault; without one, all have to be seen.
    bail: edit ? 1 : 0,
    testTimeout: 120_000,
    include: ['test/**/*.test.ts'],
    cache: false,
  },
  {
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        load: (id) => (edit && id === file ? edited(readFileSync(id, 'utf8'), edit) : undefined),
      },
    ],
  },
);
await vitest.close();

function edited(text: string, { find, replace }: Edit): string {
  return text.replace(find, () => replace);
}
