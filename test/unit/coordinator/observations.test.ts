import { describe, expect, test } from 'vitest';
import { evidenceOf, observed } from '../../../coordinator/observations.ts';
import type { EnrolledSite, Observations } from '../../../coordinator/state.ts';
import type { RecordSignals } from '../../../shared/model/signals.ts';
import { SiteId } from '../../../shared/units.ts';
import { plainPopulation, signalsOf } from '../../support/audit-evidence.ts';

const [east, north, west] = [SiteId.parse('east'), SiteId.parse('north'), SiteId.parse('west')];

/** Two users, the first of whom has two records. */
function aSite(): EnrolledSite {
  const population = {
    ...plainPopulation(['member', 'held-out']),
    recordOffsets: Int32Array.of(0, 2, 3),
    labels: Int32Array.of(0, 1, 0),
  };
  return { declaredUsers: 2, privacy: 'private', population, canaries: new Int32Array(0) };
}

const sites = new Map([east, north, west].map((site) => [site, aSite()] as const));
/** Mean losses of the two users: base + 1 and base + 4. */
const under = (base: number): RecordSignals => signalsOf([base, base + 2, base + 4]);
const means = (base: number): Float32Array => Float32Array.of(base + 1, base + 4);

function scored(...bases: readonly (readonly [SiteId, number])[]): Map<SiteId, RecordSignals> {
  return new Map(bases.map(([site, base]) => [site, under(base)]));
}

const begun: Observations = {
  initial: scored([east, 10], [north, 20], [west, 30]),
  references: [scored([east, 5], [north, 5], [west, 5])],
  lossHistory: new Map(),
  marginHistory: new Map(),
};

describe('what the attacker has seen', () => {
  test("is each user's mean loss after every round, site by site", () => {
    const first = observed(begun, scored([east, 1], [north, 2], [west, 3]), sites);
    const second = observed(first, scored([east, 4], [north, 5], [west, 6]), sites);
    expect(second.initial).toBe(begun.initial);
    expect(second.lossHistory).toEqual(
      new Map([
        [east, [means(1), means(4)]],
        [north, [means(2), means(5)]],
        [west, [means(3), means(6)]],
      ]),
    );
    expect(first.lossHistory.get(east)).toHaveLength(1);
  });

  test('a site that misses a round keeps its last losses: those of the initial model before it has any', () => {
    const missedFirst = observed(begun, scored([east, 1], [west, 3]), sites);
    expect(missedFirst.lossHistory.get(north)).toEqual([means(20)]);
    const missedSecond = observed(missedFirst, scored([north, 5], [west, 6]), sites);
    expect(missedSecond.lossHistory.get(east)).toEqual([means(1), means(1)]);
    expect(missedSecond.lossHistory.get(north)).toEqual([means(20), means(5)]);
    const missedThird = observed(missedSecond, scored([east, 7], [west, 8]), sites);
    expect(missedThird.lossHistory.get(north)).toEqual([means(20), means(5), means(5)]);
  });

  test('signals of a site that is not enrolled are not looked at', () => {
    const two = new Map([...sites].filter(([site]) => site !== west));
    const after = observed(begun, scored([east, 1], [north, 2], [west, 3]), two);
    expect([...after.lossHistory.keys()]).toEqual([east, north]);
  });
});

describe('the evidence of a round', () => {
  const first = observed(begun, scored([east, 1], [north, 2], [west, 3]), sites);

  test('joins the sites in one order: users, records and histories agree', () => {
    const now = scored([west, 6], [east, 4], [north, 5]);
    const evidence = evidenceOf(observed(first, now, sites), now, sites);
    expect(evidence.population.recordOffsets).toEqual(Int32Array.of(0, 2, 3, 5, 6, 8, 9));
    expect(evidence.population.subpopulations[0]).toEqual({
      column: 'site',
      vocabulary: ['east', 'north', 'west'],
      codes: Int32Array.of(0, 0, 1, 1, 2, 2),
    });
    expect(evidence.current.loss).toEqual(Float32Array.of(4, 6, 8, 5, 7, 9, 6, 8, 10));
    expect(evidence.initial.loss).toEqual(Float32Array.of(10, 12, 14, 20, 22, 24, 30, 32, 34));
    expect(evidence.marginHistory).toEqual(
      evidence.lossHistory.map((losses) => losses.map((value) => -value)),
    );
    expect(evidence.references.map(({ loss }) => loss)).toEqual([Float32Array.of(5, 7, 9, 5, 7, 9, 5, 7, 9)]);
    expect(evidence.current.margin).toEqual(evidence.current.loss.map((value) => -value));
    expect(evidence.lossHistory).toEqual([
      Float32Array.of(2, 5, 3, 6, 4, 7),
      Float32Array.of(5, 8, 6, 9, 7, 10),
    ]);
  });

  test('leaves out a site that misses the round, and takes it in again with a flat step', () => {
    const second = scored([east, 4], [west, 6]);
    const after = observed(first, second, sites);
    const without = evidenceOf(after, second, sites);
    expect(without.population.subpopulations[0]?.vocabulary).toEqual(['east', 'west']);
    expect(without.current.loss).toEqual(Float32Array.of(4, 6, 8, 6, 8, 10));
    expect(without.lossHistory).toEqual([Float32Array.of(2, 5, 4, 7), Float32Array.of(5, 8, 7, 10)]);
    const third = scored([east, 7], [north, 8], [west, 9]);
    const back = evidenceOf(observed(after, third, sites), third, sites);
    expect(back.population.roles).toHaveLength(6);
    expect(back.lossHistory.map((losses) => losses.subarray(2, 4))).toEqual([means(2), means(2), means(8)]);
  });

  test('leaves out a reference model that a site of the round did not score', () => {
    const now = scored([east, 4], [north, 5], [west, 6]);
    const after = { ...observed(first, now, sites), references: [scored([east, 5]), begun.references[0]!] };
    expect(evidenceOf(after, now, sites).references).toHaveLength(1);
  });

  test('leaves out a site that never scored the initial model', () => {
    const late: Observations = {
      initial: scored([east, 10], [west, 30]),
      references: [scored([east, 5], [north, 5], [west, 5])],
      lossHistory: new Map(),
      marginHistory: new Map(),
    };
    const now = scored([east, 1], [north, 2], [west, 3]);
    const evidence = evidenceOf(observed(late, now, sites), now, sites);
    expect(evidence.population.subpopulations[0]?.vocabulary).toEqual(['east', 'west']);
    expect(evidence.lossHistory).toEqual([Float32Array.of(2, 5, 4, 7)]);
  });
});
