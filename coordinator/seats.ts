import type { Notice } from '../shared/protocol/messages.ts';
import type { SiteId } from '../shared/units.ts';
import type { Changes } from './changes.ts';
import type { Connection } from './session.ts';

/** Which connection speaks for which site: one for each, the newest. */
export interface Seats {
  /**
   * Seat a connection for a site that it proved to be; an older one is ended at once, so that it brings nothing that the
   * new one's welcome did not know of. `seated` runs once the new one hears notices.
   */
  readonly join: (site: SiteId, connection: Connection, seated: () => void) => void;
  readonly leave: (connection: Connection) => void;
  /** Sites with a seat, sorted. */
  readonly sites: () => SiteId[];
  readonly has: (site: SiteId) => boolean;
  readonly notify: (site: SiteId, notice: Notice) => void;
}

/** No site is connected yet. */
export function createSeats(changes: Changes): Seats {
  const seats = new Map<SiteId, Connection>();
  const gone = new WeakSet<Connection>();
  return {
    join: (site, connection, seated) => {
      seats.get(site)?.end();
      // Later, so that the welcome arrives before the first order.
      setImmediate(() => {
        if (gone.has(connection)) return;
        const older = seats.get(site);
        seats.set(site, connection);
        older?.end();
        seated();
        changes.changed();
      });
    },
    leave: (connection) => {
      gone.add(connection);
      for (const [site, seated] of seats) if (seated === connection) seats.delete(site);
      changes.changed();
    },
    sites: () => [...seats.keys()].sort(),
    has: (site) => seats.has(site),
    notify: (site, notice) => seats.get(site)?.notify(notice),
  };
}
