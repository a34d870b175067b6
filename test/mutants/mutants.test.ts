import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Edit } from './edit.ts';
import { mutants } from './mutants.ts';

const Report = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string(),
      assertionResults: z.array(z.object({ status: z.string(), fullName: z.string() })),
    }),
  ),
});
type Report = z.infer<typeof Report>;

interface Outcome {
  readonly code: number | null;
  readonly report: Report;
}

const folder = mkdtempSync(join(tmpdir(), 'parley-mutants-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Run suites in a process of their own, with a fault planted or as they are. */
async function run(name: string, suites: readonly string[], edit?: Edit): Promise<Outcome> {
  const report = join(folder, `${name.replaceAll(/\W/g, '-')}.json`);
  const order = JSON.stringify({ suites, report, edit });
  // The child is not one of this run's own workers.
  const outside = Object.entries(process.env).filter(([variable]) => !variable.startsWith('VITEST'));
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/mutants/run-suites.ts', order], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: Object.fromEntries(outside),
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (!existsSync(report)) throw new Error(`${name}: the suites did not run:\n${errors}`);
  return { code, report: Report.parse(JSON.parse(readFileSync(report, 'utf8'))) };
}

/** Start pieces of work in their order, two at a time; each result as its own promise. */
function twoAtATime<T>(work: readonly (() => Promise<T>)[]): Promise<T>[] {
  const waiting: (() => void)[] = [];
  let free = 2;
  const turn = async (): Promise<void> => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
  };
  const passOn = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  const results = work.map(async (start) => {
    await turn();
    return start().finally(passOn);
  });
  // Whoever asks for a result hears why there is none; until then nobody does.
  for (const result of results) result.catch(() => undefined);
  return results;
}

/** Suites in which no test ran to its end: they did not even load. */
const unloaded = ({ testResults }: Report): string[] =>
  testResults
    .filter(({ assertionResults }) => !assertionResults.some(({ status }) => /passed|failed/.test(status)))
    .map(({ name, message }) => `${name}: ${message}`);

const failed = ({ testResults }: Report): string[] =>
  testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  );

const occurrences = (text: string, part: string): number => text.split(part).length - 1;

const everySuite = [...new Set(mutants.flatMap((mutant) => mutant.suites))];
const broken: Edit = {
  file: 'shared/privacy/clip.ts',
  find: 'export function clipUpdate(',
  replace: 'export funktion (',
};
const [control, unreadable, ...outcomes] = twoAtATime([
  () => run('control', everySuite),
  () => run('broken', ['test/unit/privacy/clip.test.ts'], broken),
  ...mutants.map(
    ({ name, suites, ...edit }) =>
      () =>
        run(name, suites, edit),
  ),
]);

test('without a fault, every suite is green', async () => {
  const { code, report } = (await control)!;
  expect(failed(report)).toEqual([]);
  expect(unloaded(report)).toEqual([]);
  expect(report.testResults).toHaveLength(everySuite.length);
  expect([code, report.success]).toEqual([0, true]);
});

test('a fault that keeps the module from loading is told from one that a test notices', async () => {
  const { code, report } = (await unreadable)!;
  expect(code).not.toBe(0);
  expect(unloaded(report)).toHaveLength(1);
  expect(failed(report)).toEqual([]);
});

describe('a planted fault is caught:', () => {
  test.each(mutants.map((mutant, index) => ({ ...mutant, outcome: outcomes[index]! })))(
    '$name ($file)',
    async ({ name, suites, outcome, ...edit }) => {
      expect(occurrences(readFileSync(edit.file, 'utf8'), edit.find), `${edit.find} in ${edit.file}`).toBe(1);
      const { code, report } = await outcome;
      expect(unloaded(report)).toEqual([]);
      expect(report.testResults).toHaveLength(suites.length);
      expect(failed(report), `no test of ${suites.join(', ')} notices: ${name}`).not.toEqual([]);
      expect(code).not.toBe(0);
    },
  );
});
