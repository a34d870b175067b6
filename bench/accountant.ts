import { readFileSync } from 'node:fs';
import { pldBounds } from '../shared/privacy/accounting/accountants.ts';
import { sampledGaussian } from '../shared/privacy/accounting/event.ts';
import type { Bounds } from '../shared/privacy/accounting/profile.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../shared/units.ts';

/**
 * Milliseconds of one core for both bounds on epsilon by privacy loss distributions: 10,000 rounds at sampling rate 0.01 and
 * noise multiplier 1, and the 280 settings of test/vectors/accountant-extended.csv together. With --json, one object:
 *
 *     npx tsx bench/accountant.ts [--json]
 */
const long: Setting = { z: 1, q: 0.01, rounds: 10_000, delta: 1e-5 };
costOf({ ...long, rounds: 1000 });
const longTimes = Array.from({ length: 7 }, () => milliseconds(() => costOf(long)));
const settings = gridSettings();
const longRun = {
  ...long,
  ...costOf(long),
  milliseconds: median(longTimes),
  slowest: Math.max(...longTimes),
  wanted: 100,
};
const grid = {
  settings: settings.length,
  milliseconds: milliseconds(() => {
    for (const setting of settings) costOf(setting);
  }),
  wanted: 20_000,
};

if (process.argv.includes('--json')) console.log(JSON.stringify({ longRun, grid }));
else {
  console.log(
    `10,000 rounds, z = 1, q = 0.01: epsilon between ${longRun.lower.toFixed(4)} and ${longRun.upper.toFixed(4)} in ` +
      `${longRun.milliseconds.toFixed(0)} ms, the slowest of seven in ${longRun.slowest.toFixed(0)} ms; wanted: ${longRun.wanted} ms`,
  );
  console.log(
    `${grid.settings} settings: ${(grid.milliseconds / 1000).toFixed(1)} s; wanted: ${grid.wanted / 1000} s`,
  );
}

interface Setting {
  readonly z: number;
  readonly q: number;
  readonly rounds: number;
  readonly delta: number;
}

function costOf({ z, q, rounds, delta }: Setting): Bounds {
  const event = sampledGaussian(NoiseMultiplier.parse(z), SamplingRate.parse(q));
  return pldBounds([{ event, count: rounds }], Delta.parse(delta));
}

/** Noise multiplier, sampling rate, rounds and delta are the table's first four columns. */
function gridSettings(): readonly Setting[] {
  const table = readFileSync(new URL('../test/vectors/accountant-extended.csv', import.meta.url), 'utf8');
  return table
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => {
      const [z = NaN, q = NaN, rounds = NaN, delta = NaN] = row.split(',').map(Number);
      return { z, q, rounds, delta };
    });
}

/** Of processor time, system's share included, so that others on the machine do not count. */
function milliseconds(work: () => unknown): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
