import type { Kysely } from 'kysely';
import { z } from 'zod';
import { LedgerPosition } from '../../shared/protocol/ledger-position.ts';
import { firstUnprunedVersion } from '../../shared/protocol/plan.ts';
import type { RoundIndex } from '../../shared/units.ts';
import { SiteId } from '../../shared/units.ts';
import type { Tables } from './database.ts';

/** What the coordinator remembers of its sites. */
export interface SiteTables {
  rosters(): Promise<ReadonlyMap<SiteId, Uint8Array>>;
  saveRoster(site: SiteId, bytes: Uint8Array): Promise<void>;
  /**
   * Remember the cohort of a round before its plan is published; a round already begun keeps its cohort, but loses the
   * signals of the models that its first attempt made: the next attempt may make others.
   */
  begin(round: RoundIndex, cohort: readonly SiteId[]): Promise<readonly SiteId[]>;
  signals(version: RoundIndex): Promise<ReadonlyMap<SiteId, Uint8Array>>;
  saveSignals(version: RoundIndex, site: SiteId, bytes: Uint8Array): Promise<void>;
  /** The newest position of each site's ledger that was seen. */
  ledgerPositions(): Promise<ReadonlyMap<SiteId, LedgerPosition>>;
  saveLedgerPosition(site: SiteId, position: LedgerPosition): Promise<void>;
}

/** What sites told, in the run's database. */
export function siteTables(db: Kysely<Tables>): SiteTables {
  return {
    ...ledgerTable(db),
    rosters: async () => bySite(await db.selectFrom('roster').selectAll().orderBy('site').execute()),
    saveRoster: async (site, bytes) => {
      await db
        .insertInto('roster')
        .values({ site, bytes })
        .onConflict((on) => on.doNothing())
        .execute();
    },
    begin: async (round, cohort) => {
      const fresh = { round, cohort: JSON.stringify(cohort) };
      await db
        .insertInto('begun_round')
        .values(fresh)
        .onConflict((on) => on.doNothing())
        .execute();
      await db
        .deleteFrom('signals')
        .where('version', 'in', [round + 1, firstUnprunedVersion + round + 1])
        .execute();
      const row = await db
        .selectFrom('begun_round')
        .select('cohort')
        .where('round', '=', round)
        .executeTakeFirstOrThrow();
      return z.array(SiteId).parse(JSON.parse(row.cohort));
    },
    signals: async (version) =>
      bySite(
        await db.selectFrom('signals').selectAll().where('version', '=', version).orderBy('site').execute(),
      ),
    saveSignals: async (version, site, bytes) => {
      await db
        .insertInto('signals')
        .values({ version, site, bytes })
        .onConflict((on) => on.doNothing())
        .execute();
    },
  };
}

function ledgerTable(db: Kysely<Tables>): Pick<SiteTables, 'ledgerPositions' | 'saveLedgerPosition'> {
  return {
    ledgerPositions: async () => {
      const rows = await db.selectFrom('ledger_position').selectAll().execute();
      return new Map(
        rows.map(({ site, ...position }) => [SiteId.parse(site), LedgerPosition.parse(position)]),
      );
    },
    saveLedgerPosition: async (site, position) => {
      await db
        .insertInto('ledger_position')
        .values({ site, ...position })
        .onConflict((on) => on.column('site').doUpdateSet(position))
        .execute();
    },
  };
}

function bySite(rows: readonly { site: string; bytes: Uint8Array }[]): ReadonlyMap<SiteId, Uint8Array> {
  // libsql hands blobs out as ArrayBuffer; the copy makes them what their type says.
  return new Map(rows.map((row) => [SiteId.parse(row.site), new Uint8Array(row.bytes)]));
}
