import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { pldBounds } from '../../../../shared/privacy/accounting/accountants.ts';
import { sampledGaussian } from '../../../../shared/privacy/accounting/event.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';

const vectors = new URL('../../../vectors/accountant-extended.csv', import.meta.url);
const rows = readFileSync(vectors, 'utf8').trim().split('\n').slice(1);

test('all 280 rows: never below the lower bounds of others, at most 1 % above dp_accounting', () => {
  const wrong = rows.filter((row) => {
    const [z, q, count, delta, , , , , pld, , , prvLower] = row.split(',').map(Number);
    const event = sampledGaussian(NoiseMultiplier.parse(z), SamplingRate.parse(q));
    const { lower, upper } = pldBounds([{ event, count: count! }], Delta.parse(delta));
    const sound = lower <= upper && !(upper < prvLower! * (1 - 1e-9));
    return !sound || upper > 1.01 * pld! || lower > 1.0001 * Math.max(pld!, upper);
  });
  expect(rows).toHaveLength(280);
  expect(wrong).toEqual([]);
}, 120_000);
