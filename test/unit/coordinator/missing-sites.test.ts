import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Connect } from '../../../shared/protocol/transport.ts';
import { aFederationConfig, runTiny, type SiteFiles, siteFiles } from '../../support/a-run.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

let folder: string;
let directory: string;
beforeEach(() => {
  folder = temporaryFolder();
  directory = join(folder, 'run');
});

const site = (name: string): SiteFiles => siteFiles(folder, name);
const containing = (text: string): unknown => expect.stringContaining(text);

describe('sites that do not answer', () => {
  const quick = (
    change: Record<string, unknown> = {},
    enrolMs = 20_000,
  ): ReturnType<typeof aFederationConfig> =>
    aFederationConfig({
      rounds: 1,
      deadlines: { enrolMs, roundMs: 700 },
      cohort: { minSites: 2, maxRepeats: 1, ...change },
    });

  /** A connection that keeps plans back from one site until they are let through. */
  function heldBack(name: string): {
    between: (one: SiteFiles, connect: Connect) => Connect;
    letThrough: () => void;
  } {
    const held: (() => void)[] = [];
    const isPlan = (notice: unknown): boolean =>
      typeof notice === 'object' && notice !== null && 'type' in notice && notice.type === 'plan';
    const between = (one: SiteFiles, connect: Connect): Connect => {
      if (one.id !== name) return connect;
      return (port) =>
        connect({
          ...port,
          notice: (notice) => {
            if (isPlan(notice))
              held.push(() => {
                port.notice(notice);
              });
            else port.notice(notice);
          },
        });
    };
    return {
      between,
      letThrough: () => {
        for (const pass of held.splice(0)) pass();
      },
    };
  }

  test('below the quorum the round is repeated, and ends the run when that does not help', async () => {
    const sites = [site('east'), site('north')];
    const notes: string[] = [];
    const run = { directory, sites, federation: quick(), onNote: (text: string) => notes.push(text) };
    expect(await refusalOf(runTiny({ ...run, between: heldBack('north').between }))).toMatchObject({
      code: 'ROUND_QUORUM_LOST',
      message: containing(
        'round 0: 1 site(s) answered, 2 are needed. Start the same command again when the sites are back, or begin a new run with a ' +
          'lower cohort.minSites',
      ),
    });
    expect(notes).toEqual(['round 0: 1 of 2 answers at the deadline; repeating the round']);
    // What east sent for the lost round is what it sends when the round is taken up again.
    const [before] = ledgerRows(sites[0]!.ledger);
    const { outcome } = await runTiny({ directory, sites, federation: quick() });
    expect(outcome).toBe('finished');
    expect(ledgerRows(sites[0]!.ledger)).toEqual([before]);
  });

  test('a repeated round goes on as soon as the missing site answers', async () => {
    const { between, letThrough } = heldBack('north');
    const { outcome, reports, notes } = await runTiny({
      directory,
      sites: [site('east'), site('north')],
      federation: quick({ maxRepeats: 40 }),
      between,
      onNote: letThrough,
    });
    expect([outcome, notes]).toEqual([
      'finished',
      ['round 0: 1 of 2 answers at the deadline; repeating the round'],
    ]);
    expect(reports[0]?.sites).toMatchObject({ answered: ['east', 'north'], missing: [] });
  });

  test('without repeats the run ends at the deadline', async () => {
    const { between } = heldBack('north');
    const federation = quick({ belowMinimum: 'end' });
    const sites = [site('east'), site('north')];
    const notes: string[] = [];
    const onNote = (text: string): number => notes.push(text);
    const run = runTiny({ directory, sites, federation, between, onNote });
    expect(await refusalOf(run)).toMatchObject({ code: 'ROUND_QUORUM_LOST' });
    expect(notes).toEqual([]);
  });

  test('with enough others the round goes on at the deadline; the missing site is named', async () => {
    const { between } = heldBack('north');
    const sites = [site('east'), site('north'), site('west')];
    const federation = quick();
    const { reports } = await runTiny({ directory, sites, federation, between });
    expect(reports.map((report) => report.sites)).toEqual([
      {
        asked: ['east', 'north', 'west'],
        answered: ['east', 'west'],
        declined: [],
        missing: ['north'],
      },
    ]);
  });

  test('who does not enrol in time takes no part, and too few cannot begin', async () => {
    const sites = [site('east'), site('north'), site('west')];
    const federation = quick({}, 2000);
    const one = refusalOf(runTiny({ directory, sites, federation, started: sites.slice(0, 1) }));
    expect(await one).toMatchObject({
      code: 'ROUND_QUORUM_LOST',
      message: containing(
        '1 of 3 sites enrolled within 2000 ms, 2 are needed: start the missing clients, or lower cohort.minSites',
      ),
    });
    const { outcome, reports, notes } = await runTiny({
      directory,
      sites,
      federation,
      started: sites.slice(0, 2),
    });
    expect([outcome, notes]).toEqual(['finished', ['site west did not enrol and takes no part in this run']]);
    expect(reports[0]?.sites.asked).toEqual(['east', 'north']);
    // What has begun keeps its configuration.
    const later = refusalOf(runTiny({ directory, sites, federation, started: sites.slice(0, 1) }));
    expect(await later).toMatchObject({
      message: containing('start the missing clients, or begin a new run with a lower cohort.minSites'),
    });
  });
});
