import { readFileSync } from 'node:fs';
import { pldBounds } from '../shared/privacy/accounting/accountants.ts';
import { sampledGaussian } from '../shared/privacy/accounting/event.ts';
import type { Bounds } from '../shared/privacy/accounting/profile.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../shared/units.ts';
import { median, timed } from './measure.ts';
import type { Part } from './part.ts';

interface Promised {
  readonly z: number;
  readonly q: number;
  readonly rounds: number;
  readonly delta: number;
}

/** Both bounds on epsilon by privacy loss distributions, of a long run and of a table of settings. */
export const accountant: Part = {
  name: 'accountant',
  about: 'both bounds on epsilon: a run of 10,000 rounds, and the 280 settings of the test vectors together',
  how: 'Medians of seven for the long run, the table once; processor time.',
  run: async ({ quick, emit }) => {
    const long = { z: 1, q: 0.01, rounds: quick ? 100 : 10_000, delta: 1e-5 };
    boundsOf({ ...long, rounds: 1000 });
    const seconds: number[] = [];
    for (let repeat = 0; repeat < (quick ? 1 : 7); repeat++)
      seconds.push((await timed(() => boundsOf(long))).processor);
    const name = `${long.rounds} rounds, z = 1, q = 0.01`;
    emit({ name, value: 1000 * median(seconds), unit: 'ms', goal: { atMost: 100 } });
    emit({ name: `${name}, the slowest`, value: 1000 * Math.max(...seconds), unit: 'ms' });
    const settings = gridSettings().slice(0, quick ? 2 : undefined);
    const { processor } = await timed(() => {
      for (const setting of settings) boundsOf(setting);
    });
    emit({ name: `${settings.length} settings`, value: processor, unit: 's', goal: { atMost: 20 } });
  },
};

function boundsOf({ z, q, rounds, delta }: Promised): Bounds {
  const event = sampledGaussian(NoiseMultiplier.parse(z), SamplingRate.parse(q));
  return pldBounds([{ event, count: rounds }], Delta.parse(delta));
}

/** Noise multiplier, sampling rate, rounds and delta are the table's first four columns. */
function gridSettings(): readonly Promised[] {
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
