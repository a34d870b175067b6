import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countEvents } from '../../../../shared/privacy/accounting/entries.ts';
import { rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import {
  coordinatorView,
  plannedViews,
  recipientsView,
  type SiteRound,
} from '../../../../shared/privacy/accounting/views.ts';
import { Delta } from '../../../../shared/units.ts';
import { events, gaussian, nonPrivate, sampled } from './events.ts';

const delta = Delta.parse(1e-6);
const rounds: fc.Arbitrary<readonly SiteRound[]> = fc.array(
  fc.record({ answered: fc.boolean(), answeredSites: fc.integer({ min: 1, max: 12 }), event: events }),
  { maxLength: 8 },
);
const answeredEvents = (list: readonly SiteRound[]): SiteRound['event'][] =>
  list.filter((round) => round.answered).map((round) => round.event);

describe('coordinatorView', () => {
  test("is the site's own releases and nothing else", () => {
    const releases = [sampled(1.5, 0.2), sampled(1.5, 0.2), gaussian(1.5), sampled(1.5, 0.2)];
    expect(coordinatorView(releases)).toEqual([
      { event: sampled(1.5, 0.2), count: 2 },
      { event: gaussian(1.5), count: 1 },
      { event: sampled(1.5, 0.2), count: 1 },
    ]);
    expect(coordinatorView([])).toEqual([]);
  });
});

describe('recipientsView', () => {
  test('noise of the other honest sites adds up in squares: 4 answered, 1 colludes, z grows by sqrt 3', () => {
    const round = { answered: true, answeredSites: 4, event: sampled(1.5, 0.2) };
    expect(recipientsView([round, round])).toEqual([{ event: sampled(1.5 * Math.sqrt(3), 0.2), count: 2 }]);
    expect(recipientsView([round], 0)).toEqual([{ event: sampled(3, 0.2), count: 1 }]);
    expect(recipientsView([{ ...round, event: gaussian(1.5) }], 0)).toEqual([
      { event: gaussian(3), count: 1 },
    ]);
  });

  test("a site's own noise always counts: alone, with one colluder, with more colluders than sites", () => {
    for (const [answeredSites, colluding] of [
      [1, 0],
      [1, 1],
      [2, 1],
      [3, 7],
    ] as const)
      expect(recipientsView([{ answered: true, answeredSites, event: gaussian(0.8) }], colluding)).toEqual([
        { event: gaussian(0.8), count: 1 },
      ]);
  });

  test('a round that the site did not answer costs its users nothing, and does not separate its neighbours', () => {
    const round = { answered: true, answeredSites: 3, event: gaussian(0.8) };
    const missed = { answered: false, answeredSites: 2, event: gaussian(0.8) };
    expect(recipientsView([missed])).toEqual([]);
    expect(recipientsView([round, missed, round])).toEqual([{ event: gaussian(0.8 * Math.SQRT2), count: 2 }]);
  });

  test('what left without noise stays infinite, however many sites answered', () => {
    const entries = recipientsView([{ answered: true, answeredSites: 9, event: nonPrivate }]);
    expect(rdpEpsilon(entries, delta)).toBe(Infinity);
  });

  test('has one event for each answered round, costs at most the coordinator view, and more with more colluders', () => {
    fc.assert(
      fc.property(rounds, fc.nat(12), (list, colluding) => {
        const entries = recipientsView(list, colluding);
        expect(countEvents(entries)).toBe(answeredEvents(list).length);
        const epsilon = rdpEpsilon(entries, delta);
        const ceiling = rdpEpsilon(coordinatorView(answeredEvents(list)), delta);
        // Both can be infinite, so the tolerance is a factor.
        expect(epsilon).toBeLessThanOrEqual(ceiling * (1 + 1e-9));
        expect(epsilon).toBeLessThanOrEqual(
          rdpEpsilon(recipientsView(list, colluding + 1), delta) * (1 + 1e-9),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('the example of docs/privacy.md: 50 rounds, four sites, one of which missed the last two', () => {
    const list = Array.from({ length: 50 }, (_, round) => ({
      answered: true,
      answeredSites: round < 48 ? 4 : 3,
      event: sampled(2, 0.2),
    }));
    expect(rdpEpsilon(coordinatorView(answeredEvents(list)), delta)).toBeCloseTo(4.33, 2);
    expect(rdpEpsilon(recipientsView(list), delta)).toBeCloseTo(2.17, 2);
  });

  test('when everybody else colludes it is the coordinator view', () => {
    fc.assert(
      fc.property(rounds, (list) => {
        expect(recipientsView(list, 12)).toEqual(coordinatorView(answeredEvents(list)));
      }),
    );
  });
});

describe('plannedViews', () => {
  const plan = { event: sampled(1.5, 0.2), rounds: 40, sites: 4 };

  test('is what a run would hold in which the same number of sites answered every round', () => {
    fc.assert(
      fc.property(
        events,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(9),
        (event, rounds, answeringSites, colludingSites) => {
          fc.pre(!JSON.stringify(event).includes('banded'));
          const views = plannedViews({ event, rounds, sites: 9, colludingSites, answeringSites });
          const run = Array.from({ length: rounds }, () => ({
            event,
            answered: true,
            answeredSites: answeringSites,
          }));
          expect(views.coordinator).toEqual(coordinatorView(run.map((round) => round.event)));
          expect(views.recipients).toEqual(recipientsView(run, colludingSites));
        },
      ),
    );
  });

  test('all sites answer and one colludes unless something else is said; a site that drops out costs the recipients view', () => {
    expect(plannedViews(plan).recipients).toEqual([{ event: sampled(1.5 * Math.sqrt(3), 0.2), count: 40 }]);
    expect(plannedViews({ ...plan, answeringSites: 3 }).recipients).toEqual([
      { event: sampled(1.5 * Math.SQRT2, 0.2), count: 40 },
    ]);
    expect(plannedViews({ ...plan, answeringSites: 3 }).coordinator).toEqual(plannedViews(plan).coordinator);
  });

  test.each([0, 5, Number.NaN])('refuses %s answering sites of 4', (answeringSites) => {
    expect(() => plannedViews({ ...plan, answeringSites })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });
});
