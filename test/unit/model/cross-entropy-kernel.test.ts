import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { padded } from '../../../shared/model/kernels/arena.ts';
import { arena, check, get, kernels, type Plain, put, start } from './kernel-room.ts';

/** The cross-entropy kernel against plain float64 over users of any size, with logits from tame to absurd. */
const logit = fc
  .oneof(
    fc.double({ min: -4, max: 4, noNaN: true }),
    fc.double({ min: -200, max: 200, noNaN: true }),
    fc.constantFrom(-1e30, -88, 0, 88, 1e30),
  )
  .map(Math.fround);

interface Example {
  readonly users: readonly (readonly { readonly logits: readonly number[]; readonly label: number }[])[];
  readonly units: number;
}

const example: fc.Arbitrary<Example> = fc.integer({ min: 1, max: 13 }).chain((units) => {
  const logits = fc.array(logit, { minLength: units, maxLength: units });
  const record = fc.record({ logits, label: fc.nat(Math.max(2, units) - 1) });
  const users = fc.array(fc.array(record, { minLength: 1, maxLength: 5 }), { maxLength: 5 });
  return fc.record({ users, units: fc.constant(units) });
});

describe('cross-entropy', () => {
  test('losses and derivatives, down to those of records that are almost learnt', () => {
    check(example, ({ users, units }) => {
      const { losses, gradient } = compute({ users, units });
      let row = 0;
      for (const [user, records] of users.entries()) {
        const want = records.map(({ logits, label }) => plain(units === 1 ? [0, ...logits] : logits, label));
        const mean = want.reduce((sum, { loss }) => sum + loss, 0) / records.length;
        expect(Math.abs(losses[user]! - mean)).toBeLessThanOrEqual(1e-6 * mean + 1e-30);
        for (const { slopes } of want) {
          const mine = gradient[row++]!;
          for (const [unit, slope] of slopes.slice(units === 1 ? 1 : 0).entries()) {
            const value = slope / records.length;
            // float32 gives out below e^-87.
            expect(Math.abs(mine[unit]! - value)).toBeLessThanOrEqual(3e-5 * Math.abs(value) + 1e-37);
          }
          expect(mine.slice(units).every((value) => value === 0)).toBe(true);
        }
      }
    });
  });

  test('a record whose logits are not finite has a derivative that is not', () => {
    for (const units of [1, 2, 5])
      for (const bad of [NaN, Infinity])
        for (const label of [0, 1]) {
          arena.release(start);
          const logits = Array.from({ length: units }, (_, unit) => (unit === 0 ? bad : 1));
          const { gradient, losses } = compute({ users: [[{ logits, label }]], units });
          expect(gradient[0]!.slice(0, units).some(Number.isFinite)).toBe(false);
          if (Number.isNaN(bad)) expect(losses[0]).toBeNaN();
        }
  });
});

function compute({ users, units }: Example): { losses: readonly number[]; gradient: Plain } {
  const records = users.flat();
  const logits = put(
    records.map((record) => [...record.logits]),
    units,
  );
  for (let row = 0; row < records.length; row++)
    arena.floats(logits.at + row * logits.row + 4 * units, padded(units) - units).fill(NaN);
  const gradient = arena.rows(records.length, units);
  const offsets = [0];
  for (const user of users) offsets.push(offsets.at(-1)! + user.length);
  const [offsetsAt, labelsAt] = [integers(offsets), integers(records.map(({ label }) => label))];
  const losses = arena.take(8 * users.length);
  const rows = [logits.at, gradient.at, logits.row] as const;
  kernels.crossEntropy(users.length, units, offsetsAt, labelsAt, ...rows, losses);
  return {
    losses: [...arena.doubles(losses, users.length)],
    gradient: get(gradient, records.length, padded(units)),
  };
}

function integers(values: readonly number[]): number {
  const at = arena.take(4 * values.length);
  arena.integers(at, values.length).set(values);
  return at;
}

/** With m = z_y minus the log-sum-exp of the others: loss log(1 + e^-m), slope of the true class -1 / (1 + e^m). */
function plain(all: readonly number[], label: number): { loss: number; slopes: number[] } {
  const largest = Math.max(...all);
  // Relative to the largest, so that nothing is lost beside 1e30.
  const logits = all.map((z) => z - largest);
  const logSum = (values: readonly number[]): number => {
    const most = Math.max(...values);
    return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
  };
  const margin = logits[label]! - logSum(logits.filter((_, index) => index !== label));
  const loss = Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
  const normalizer = logSum(logits);
  const slopes = logits.map((z, index) =>
    index === label ? -1 / (1 + Math.exp(margin)) : Math.exp(z - normalizer),
  );
  return { loss, slopes };
}
