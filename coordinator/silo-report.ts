import { recordEntries } from '../shared/model/silo/record-entries.ts';
import { type SiloDefence, siloStamp } from '../shared/model/silo/silo-defence.ts';
import { reportedEpsilon } from '../shared/privacy/accounting/accountants.ts';
import { rdpEpsilon } from '../shared/privacy/accounting/rdp-accountant.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { Delta } from '../shared/units.ts';
import { reported } from './mirror.ts';

/**
 * What a report says where sites train on all of their users together: the stamp, and for DP-SGD on records what so many releases
 * of one site (the most of any) cost one record. That epsilon holds against coordinator and recipients alike: models of sites are
 * averaged after many noised steps, and no noise of other sites is counted on.
 */
export function siloReport(silo: SiloDefence, releases: number): NonNullable<RoundReport['silo']> {
  const stamped: NonNullable<RoundReport['silo']> = { stamp: siloStamp, defence: silo.type };
  if (silo.type !== 'record-dp-sgd') return stamped;
  const entries = recordEntries(silo, releases);
  const delta = Delta.parse(silo.delta);
  return {
    ...stamped,
    recordLevel: {
      epsilon: reported(reportedEpsilon(entries, delta)),
      rdp: reported(rdpEpsilon(entries, delta)),
      delta,
    },
  };
}
