import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import type { Audited } from '../../scenarios/audit/audited.ts';
import { parleyDone } from './processes.ts';

/** Where the runs lie. */
export const folder = mkdtempSync(join(tmpdir(), 'parley-audit-'));

export const rounds = 3;

/** A scenario file: three small hospitals that learn their patients by heart, in about a second. */
export function aScenario(name: string, { sites = 3, policy = 'keepReleases: all' } = {}): string {
  const file = join(folder, `${name}.yaml`);
  const schema = resolve('scenarios/catalog/schemas/hospital-cohort-medications.yaml');
  writeFileSync(
    file,
    `federation:
  name: ${name}
  description: small hospitals that learn their patients by heart
  rounds: ${rounds}
  model: {inputShape: [26], layers: [{type: dense, units: 32, activation: relu}], output: {type: softmax, classes: 5}}
  local: {epochs: 20, batchSize: all, learningRate: 0.3}
  protection: {type: none}
  server: {type: fedadam, learningRate: 0.1}
  cohort: {minSites: 2}
data: {type: synthetic-hospitals, schema: ${schema}, sites: ${sites}, usersPerSite: 80}
sites:
  policy: {maxEpsilon: 3, delta: 1.0e-6, minNoiseMultiplier: 0.5, minSites: 2, allowUnprotected: true, ${policy}}
  audit: {fraction: 1, referenceFraction: 0.2}
`,
  );
  return file;
}

export async function smallRun(name: string, options: Parameters<typeof aScenario>[1] = {}): Promise<string> {
  const directory = join(folder, `${name}-run`);
  const { code, stdout, stderr } = await parleyDone(
    ...['simulate', aScenario(name, options), '--in-process', '--out', directory],
  );
  expect(code, stdout + stderr).toBe(0);
  return directory;
}

/** The command with `--json` in a process of its own: the last line of its output, which is its only one. */
export async function audit(...args: readonly string[]): Promise<{ audit: Audited; report: string }> {
  const { code, stdout, stderr } = await parleyDone('audit', ...args, '--json');
  expect(code, stdout + stderr).toBe(0);
  expect(stdout.split('\n')).toHaveLength(1);
  return JSON.parse(stdout) as { audit: Audited; report: string };
}

export async function refused(
  ...args: readonly string[]
): Promise<{ exit: number | null; code: string; message: string }> {
  const { code: exit, stdout } = await parleyDone('audit', ...args, '--json');
  const { error } = JSON.parse(stdout.split('\n').at(-1) ?? '') as {
    error: { code: string; message: string };
  };
  return { exit, ...error };
}
