import type { HeadStore } from '../../coordinator/ledger-heads.ts';
import type { LedgerPosition } from '../../shared/protocol/ledger-position.ts';
import { Sha256, type SiteId } from '../../shared/units.ts';

/** A ledger with this many entries; another letter (a to f) is another history. */
export function position(length: number, history = 'a'): LedgerPosition {
  return { length, head: Sha256.parse(`${length}${history}`.padStart(64, '0')) };
}

/** Seen positions that outlive a desk, as long as the test. */
export function headsInMemory(): HeadStore & { readonly kept: Map<SiteId, LedgerPosition> } {
  const kept = new Map<SiteId, LedgerPosition>();
  return {
    kept,
    ledgerPositions: () => Promise.resolve(kept),
    saveLedgerPosition: (site, ledger) => {
      kept.set(site, ledger);
      return Promise.resolve();
    },
  };
}
