import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import type { RepeatedBound } from '../../scenarios/report/repeated-canaries.ts';
import { readRun } from '../../scenarios/run-directory.ts';
import { parleyDone } from '../support/processes.ts';

interface Line {
  readonly site: string;
  readonly coins: readonly number[];
  readonly rate: number;
  readonly shift: number;
  readonly coordinator: readonly number[];
}

test('simulate over seeds says what one canary of each run proves, and keeps its score and coin', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-repeated-'));
  const out = join(folder, 'runs');
  const scenario = join(folder, 'scenario.yaml');
  writeFileSync(
    scenario,
    `federation:
  name: repeated
  description: two small hospitals, three seeds
  rounds: 2
  model: {inputShape: [27], output: {type: sigmoid}}
  local: {epochs: 1, batchSize: all, learningRate: 0.5}
  protection: {type: user-dp, clipNorm: 0.5, samplingRate: 0.5, delta: 1.0e-5, noiseMultiplier: 2.5}
  server: {type: fedavg, learningRate: 1}
  cohort: {minSites: 2}
data: {type: synthetic-hospitals, schema: ${resolve('scenarios/catalog/schemas/hospital-cohort.yaml')}, sites: 2, usersPerSite: 60}
sites:
  policy: {maxEpsilon: 30, delta: 1.0e-5, minNoiseMultiplier: 1, minSites: 2}
  audit: {fraction: 0.5, referenceFraction: 0.1, canaries: {directions: 6}}
seeds: [1, 2, 3]
`,
  );
  const { code, stdout, stderr } = await parleyDone(
    'simulate',
    scenario,
    '--in-process',
    '--out',
    out,
    '--json',
  );
  expect(code, stdout + stderr).toBe(0);
  const written = JSON.parse(readFileSync(join(out, 'seeds-canaries.json'), 'utf8')) as RepeatedBound[];
  expect(JSON.parse(stdout.split('\n').at(-1) ?? '')).toMatchObject({ canaries: written });
  const [coordinator, recipients] = written;
  expect([coordinator!.view, recipients!.view]).toEqual(['coordinator', 'recipients']);
  // Three runs prove nothing, and the report says so rather than leaving it out.
  expect(coordinator!.bound).toBe(0);
  const epsilons = [1, 2, 3].map(
    (seed) => readRun(join(out, `seed-${seed}`)).reports.at(-1)!.epsilon.coordinator,
  );
  expect(coordinator!.accounted).toBe(Math.max(...epsilons.map(Number)));
  expect(coordinator!.runs).toHaveLength(3);
  for (const { seed, score, isMember } of coordinator!.runs) {
    const lines = readFileSync(join(out, `seed-${seed}`, 'canaries.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    const own = lines.filter(({ site }) => site === 'community');
    expect(own).toHaveLength(2);
    const ratio = own.reduce(
      (sum, { rate, shift, coordinator: [first] }) =>
        sum + Math.log(1 - rate + rate * Math.exp(shift * first! - (shift * shift) / 2)),
      0,
    );
    expect(score).toBeCloseTo(ratio, 9);
    expect(isMember).toBe(own[0]!.coins[0] === 0);
  }
  expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('<section id="repeated">');
});
