import { describe, expect, test } from 'vitest';
import { canaryLines, canarySection } from '../../../scenarios/report/canaries.ts';
import type { CanaryReport, EpsilonEstimate } from '../../../shared/protocol/canary-report.ts';
import { RoundReport } from '../../../shared/protocol/report.ts';
import { aReport } from '../../support/a-report.ts';

const measured: EpsilonEstimate = { status: 'measured', epsilon: 1.2345, low: 0.8, high: 1.7 };
const bound = { epsilon: 0.4399, confidence: 0.97, canaries: 64, guesses: 48, correct: 33 };

function canaries(run: EpsilonEstimate = measured, proven = bound.epsilon): CanaryReport {
  const view = { roundEstimate: run, runEstimate: run, bound: { ...bound, epsilon: proven } };
  const recipients = { ...view, bound: { ...bound, epsilon: 0, correct: 24 } };
  return { status: 'measured', members: 31, heldOut: 33, coordinator: view, recipients };
}

function aRound(round: number, change: Partial<RoundReport> = {}): RoundReport {
  const epsilon = { coordinator: 1.3101 + round, recipients: 0.7, delta: 1e-6, limit: 4 };
  return RoundReport.parse({ ...aReport({ round }), epsilon, canaries: canaries(), ...change });
}

function pageOf(...reports: readonly RoundReport[]): string {
  return canarySection(reports, reports.at(-1)!)
    .map(({ markup }) => markup)
    .join('');
}

/** Rows of the table as texts of their cells. */
function cells(markup: string): string[][] {
  const body = /<tbody>(.*?)<\/tbody>/s.exec(markup)?.[1] ?? '';
  return [...body.matchAll(/<tr.*?<\/tr>/gs)].map(([row]) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell = '']) => cell.replaceAll(/<[^>]*>/g, '')),
  );
}

describe('accounted, estimated and proven epsilon', () => {
  test('stand side by side for each adversary: the accounted rounded up, the proven rounded down', () => {
    expect(cells(pageOf(aRound(0)))).toEqual([
      ['the coordinator', '1.32', '1.23 [0.80, 1.70]', '0.43', '33 of 48', ''],
      ['model recipients', '0.70', '1.23 [0.80, 1.70]', '0.00', '24 of 48', ''],
    ]);
    expect(pageOf(aRound(0))).toContain('After round 1, from 31 member canaries and 33 held-out ones.');
    expect(canaryLines(aRound(0))).toEqual([
      ['canaries', 'the coordinator: accounted 1.32, estimated 1.23 [0.80, 1.70], proven at least 0.43'],
      ['', 'model recipients: accounted 0.70, estimated 1.23 [0.80, 1.70], proven at least 0.00'],
    ]);
  });

  test('a void estimate shows no figure, its reason does, and the bound stays', () => {
    const reason = 'the held-out canaries spread 1.9 times as wide as the noise';
    const report = aRound(0, {
      canaries: canaries({ ...measured, status: 'void', reason }),
    });
    expect(cells(pageOf(report))[0]).toEqual(['the coordinator', '1.32', 'void', '0.43', '33 of 48', reason]);
    expect(canaryLines(report)[0]![1]).toContain('estimated void, proven at least 0.43');
    expect(pageOf(report)).not.toContain('1.23');
  });

  test('an estimate that was not measured is n/a', () => {
    const reason = 'noise is correlated over rounds';
    const report = aRound(0, { canaries: canaries({ status: 'not-measured', reason }) });
    expect(cells(pageOf(report))[0]!.slice(2)).toEqual(['n/a', '0.43', '33 of 48', reason]);
  });

  test('are drawn over rounds where they exist: no estimate that is void, nothing that is infinite', () => {
    const lost: EpsilonEstimate = { status: 'not-measured', reason: 'no' };
    const lines = (reports: RoundReport[]): number =>
      [...pageOf(...reports).matchAll(/<(?:path|polyline)[^>]*class="[^"]*(?:first|second|reference)[^"]*"/g)]
        .length;
    const all = [aRound(0), aRound(1), aRound(2)];
    const some = all.map((report) => RoundReport.parse({ ...report, canaries: canaries(lost) }));
    const infinite = some.map((report): RoundReport => {
      return { ...report, epsilon: { ...report.epsilon, coordinator: 'infinite' } };
    });
    expect([lines(all), lines(some), lines(infinite)]).toEqual([3, 2, 1]);
    for (const [index, round] of all.entries())
      expect(pageOf(...all)).toContain(
        `round ${index + 1}: accounted ${(1.32 + round.round).toFixed(2)}, proven 0.43`,
      );
    expect(pageOf(...infinite)).toContain('round 3: accounted inf, proven 0.43');
  });
});

describe('what else is said of canaries', () => {
  test('nothing by a report from before there were any', () => {
    const before = aRound(0);
    delete before.canaries;
    expect(pageOf(before)).toBe('');
    expect(canaryLines(before)).toEqual([]);
  });

  test('why they were not measured', () => {
    const report = aRound(0, { canaries: { status: 'not-measured', reason: 'no site has canaries' } });
    expect(pageOf(report)).toContain('Not measured: no site has canaries.');
    expect(cells(pageOf(report))).toEqual([]);
    expect(canaryLines(report)).toEqual([['canaries', 'not measured: no site has canaries']]);
  });

  test('an alarm, once for each view', () => {
    const alarm: RoundReport['alarm'] = [
      { view: 'coordinator', bound: 3.4199, accounted: 1.3101 },
      { view: 'recipients', bound: 2, accounted: 0.7 },
    ];
    const report = aRound(0, { alarm });
    expect(pageOf(report)).toContain(
      'Epsilon is against the coordinator at least 3.41, accounted 1.32; against model recipients at least 2.00, accounted 0.70.',
    );
    expect(canaryLines(report).slice(2)).toEqual([
      ['ALARM', 'more is proven than accounted against the coordinator'],
      ['ALARM', 'more is proven than accounted against model recipients'],
    ]);
    expect(pageOf(aRound(0))).not.toContain('Alarm');
  });

  test('that sites break their protection on purpose, and how many releases that made implausible', () => {
    const redTeam = { notedOnArrival: ['north: NOISE_IMPLAUSIBLE', 'south: NOISE_IMPLAUSIBLE'] };
    const report = aRound(0, { redTeam });
    expect(pageOf(report)).toContain('(2 releases in this round)');
    expect(canaryLines(report).at(-1)).toEqual(['red team', 'sites break their protection on purpose']);
  });

  test('no reason can become markup', () => {
    const report = aRound(0, {
      canaries: { status: 'not-measured', reason: '<img src=x onerror=alert(1)>' },
    });
    expect(pageOf(report)).toContain('&lt;img src=x');
    expect(pageOf(report)).not.toContain('<img');
  });
});
