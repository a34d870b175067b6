import { describe, expect, test } from 'vitest';
import { count, evidenceWidth, forget, noEvidence } from '../../../coordinator/serve/monitor/evidence.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const rng = seededRng(Seed.parse(6));

/** The mixture as it is defined: over alternatives and starts, each a product of likelihood ratios. */
function byDefinition(hits: readonly boolean[], ordinary: number): number {
  let total = 0;
  for (const share of [0.25, 0.5, 0.875]) {
    const rate = ordinary + share * (1 - ordinary);
    for (let start = 1; start <= hits.length; start++) {
      const ratios = hits
        .slice(start - 1)
        .map((hit) => (hit ? rate / ordinary : (1 - rate) / (1 - ordinary)));
      total += ratios.reduce((a, b) => a * b, 1) / (start * (start + 1)) / 3;
    }
  }
  return Math.log(total);
}

describe('evidence', () => {
  test.each([0.02, 0.2, 0.6])('is the mixture that it is defined as, ordinary rate %d', (ordinary) => {
    const evidence = noEvidence(2);
    const hits: boolean[] = [];
    for (let query = 0; query < 60; query++) {
      hits.push(rng.uniform() < (query < 30 ? ordinary : 0.7));
      const value = count(evidence, 1, hits.at(-1)!, ordinary);
      expect(value).toBeCloseTo(byDefinition(hits, ordinary), 9);
    }
    expect(evidence.slice(0, evidenceWidth)).toEqual(noEvidence(1));
    forget(evidence, 1);
    expect(evidence).toEqual(noEvidence(2));
  });

  test('of ordinary callers passes its limit no more often than promised, over hundreds of looks', () => {
    const [callers, queries, level] = [4000, 400, 0.05];
    let alarms = 0;
    for (let caller = 0; caller < callers; caller++) {
      const evidence = noEvidence(1);
      for (let query = 0; query < queries; query++)
        if (count(evidence, 0, rng.uniform() < 0.2, 0.2) >= Math.log(1 / level)) {
          alarms++;
          break;
        }
    }
    // Four standard deviations above the promise.
    expect(alarms).toBeLessThan(callers * level + 4 * Math.sqrt(callers * level));
    expect(alarms).toBeGreaterThan(0);
  });

  test('of a change rises however long the caller was ordinary before', () => {
    const evidence = noEvidence(1);
    for (let query = 0; query < 50_000; query++) count(evidence, 0, rng.uniform() < 0.1, 0.2);
    let needed = 0;
    while (count(evidence, 0, true, 0.2) < Math.log(1e6)) needed++;
    expect(needed).toBeLessThan(40);
  });
});
