import { describe, expect, test } from 'vitest';
import { seededRng } from '../../shared/random/rng.ts';
import { fairCoin, poissonSample, shuffled, uniformBelow } from '../../shared/random/sample.ts';
import { SamplingRate, Seed } from '../../shared/units.ts';

// Streams are seeded, so every outcome repeats; each comparison's false-alarm probability over seeds is about 1e-6.

const stream = (seed: number): ReturnType<typeof seededRng> => seededRng(Seed.parse(seed));

/** Upper 1e-6 point of chi-square by Wilson and Hilferty (1931); a little above the tables' 44.81 at 9 and 96.13 at 39. */
function limit(degrees: number): number {
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + 4.7534 * Math.sqrt(spread)) ** 3;
}

/** Pearson's statistic; neighbouring cells are joined until each expects at least 20. */
function chiSquare(
  observed: readonly number[],
  expected: readonly number[],
): { value: number; degrees: number } {
  const cells: { seen: number; due: number }[] = [];
  let open = { seen: 0, due: 0 };
  for (const [index, due] of expected.entries()) {
    open = { seen: open.seen + observed[index]!, due: open.due + due };
    if (open.due < 20) continue;
    cells.push(open);
    open = { seen: 0, due: 0 };
  }
  const last = cells.pop()!;
  cells.push({ seen: last.seen + open.seen, due: last.due + open.due });
  const value = cells.reduce((sum, { seen, due }) => sum + (seen - due) ** 2 / due, 0);
  return { value, degrees: cells.length - 1 };
}

function expectLaw(observed: readonly number[], expected: readonly number[]): void {
  const { value, degrees } = chiSquare(observed, expected);
  expect(degrees).toBeGreaterThan(0);
  expect(value).toBeLessThan(limit(degrees));
}

function binomial(n: number, q: number): number[] {
  let log = n * Math.log1p(-q);
  return Array.from({ length: n + 1 }, (_, k) => {
    if (k > 0) log += Math.log(((n - k + 1) / k) * (q / (1 - q)));
    return Math.exp(log);
  });
}

test('the limit is that of the tables, or a little more', () => {
  for (const [degrees, table] of [
    [9, 44.81094],
    [39, 96.12556],
  ] as const) {
    expect(limit(degrees)).toBeGreaterThan(table);
    expect(limit(degrees)).toBeLessThan(1.03 * table);
  }
});

describe.each([
  [0.013, 201],
  [0.3, 202],
  [0.5, 203],
  [0.92, 204],
])('poissonSample at rate %d', (q, seed) => {
  const [population, draws] = [150, 20_000];
  const rng = stream(seed);
  const samples = Array.from({ length: draws }, () => poissonSample(rng, population, SamplingRate.parse(q)));

  test('the number drawn is binomial', () => {
    const observed = Array<number>(population + 1).fill(0);
    for (const sample of samples) observed[sample.length]! += 1;
    expectLaw(
      observed,
      binomial(population, q).map((probability) => probability * draws),
    );
  });

  test('every user takes part equally often', () => {
    const participations = Array<number>(population).fill(0);
    for (const sample of samples) for (const user of sample) participations[user]! += 1;
    const statistic = participations.reduce(
      (sum, seen) => sum + (seen - draws * q) ** 2 / (draws * q * (1 - q)),
      0,
    );
    expect(statistic).toBeLessThan(limit(population));
  });

  test('neighbours, and first and last, take part independently', () => {
    const pairs = [
      [0, 1],
      [70, 71],
      [0, population - 1],
    ] as const;
    for (const [a, b] of pairs) {
      const observed = [0, 0, 0, 0];
      for (const sample of samples)
        observed[2 * Number(sample.includes(a)) + Number(sample.includes(b))]! += 1;
      const expected = [(1 - q) ** 2, (1 - q) * q, q * (1 - q), q * q].map(
        (probability) => probability * draws,
      );
      expectLaw(observed, expected);
    }
  });
});

test('uniformBelow has no modulo bias where it would be worst: n = 3 * 2^30', () => {
  const rng = stream(205);
  const observed = [0, 0, 0];
  for (let i = 0; i < 60_000; i++) observed[Math.floor(uniformBelow(rng, 3 * 2 ** 30) / 2 ** 30)]! += 1;
  expectLaw(observed, [20_000, 20_000, 20_000]);
});

test('shuffled gives all 24 orders of four equally often', () => {
  const rng = stream(206);
  const counts = new Map<string, number>();
  for (let i = 0; i < 48_000; i++) {
    const order = shuffled(rng, 4).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect(counts.size).toBe(24);
  expectLaw([...counts.values()], Array<number>(24).fill(2000));
});

test('fairCoin is fair, and the next one does not know the last', () => {
  const rng = stream(207);
  const observed = [0, 0, 0, 0];
  for (let i = 0; i < 50_000; i++) observed[2 * Number(fairCoin(rng)) + Number(fairCoin(rng))]! += 1;
  expectLaw(observed, Array<number>(4).fill(12_500));
});
