import { ParleyError } from '../shared/errors.ts';
import type { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import type { SiteId } from '../shared/units.ts';

/**
 * The newest position of each site's ledger that this run has seen. A site puts its position into everything that it signs,
 * so a ledger restored from an old copy, or a second copy in use, is noticed here also when nothing at the site can tell.
 *
 * A position counts from the first new offer or decline that has it, not from the hello: only then has the site checked that
 * it holds what the welcome named. Else a longer copy with another history would be taken for the truth at its second hello.
 */
export interface LedgerHeads {
  /** Null when nothing was seen of this site. */
  newest(site: SiteId): LedgerPosition | null;
  /** Throws LEDGER_ROLLBACK for fewer entries than were seen, or as many with another head. */
  assertNotOlder(site: SiteId, position: LedgerPosition): void;
  /** Throws LEDGER_ROLLBACK as above, at once; resolves when the position will be known after a restart too. */
  remember(site: SiteId, position: LedgerPosition): Promise<void>;
}

/** Where the positions outlive the coordinator. */
export interface HeadStore {
  ledgerPositions(): Promise<ReadonlyMap<SiteId, LedgerPosition>>;
  saveLedgerPosition(site: SiteId, position: LedgerPosition): Promise<void>;
}

/** The positions that the store holds, to be gone on with. */
export async function openLedgerHeads(store: HeadStore): Promise<LedgerHeads> {
  const stored = new Map(await store.ledgerPositions());
  const newest = new Map(stored);
  const assertNotOlder: LedgerHeads['assertNotOlder'] = (site, position) => {
    const seen = newest.get(site);
    if (seen && isOlder(position, seen)) throw rollback(site, position, seen);
  };
  const save = async (site: SiteId, position: LedgerPosition): Promise<void> => {
    const before = stored.get(site);
    if (before && isSame(before, position)) return;
    await store.saveLedgerPosition(site, position);
    stored.set(site, position);
  };
  return {
    newest: (site) => newest.get(site) ?? null,
    assertNotOlder,
    remember: (site, position) => {
      assertNotOlder(site, position);
      // Before it is stored: whoever else speaks for this site meanwhile is measured by it.
      newest.set(site, position);
      return save(site, position);
    },
  };
}

function isOlder(position: LedgerPosition, seen: LedgerPosition): boolean {
  return position.length <= seen.length && !isSame(position, seen);
}

function isSame(a: LedgerPosition, b: LedgerPosition): boolean {
  return a.length === b.length && a.head === b.head;
}

function rollback(site: SiteId, position: LedgerPosition, seen: LedgerPosition): ParleyError {
  const lacks = position.length < seen.length ? 'is older' : 'has another history';
  return new ParleyError(
    'LEDGER_ROLLBACK',
    `the ledger of site ${site} (${entries(position)}) ${lacks} than the one that this coordinator has seen (${entries(seen)}): it ` +
      'is a restored copy, or a second copy in use, and does not say what its releases cost. Stop the site and bring back ' +
      'the newest copy of the ledger',
  );
}

function entries({ length, head }: LedgerPosition): string {
  return `${length} entries up to ${head.slice(0, 16)}...`;
}
