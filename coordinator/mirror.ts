import { type MechanismEvent, sampledGaussian } from '../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../shared/privacy/accounting/rdp-accountant.ts';
import { coordinatorView, recipientsView } from '../shared/privacy/accounting/views.ts';
import type { Protection } from '../shared/protocol/plan.ts';
import type { ReportedEpsilon, RoundReport } from '../shared/protocol/report.ts';
import type { Participation } from './state.ts';

/**
 * The coordinator's mirror of the sites' ledgers: epsilon after the finished rounds, in both views, the largest over the
 * sites. Against the coordinator every site that was asked is charged, since it may have released bytes that came too late,
 * unless it declined before a release; the sites' own ledgers decide. Neighbouring: one user of one site added or removed.
 */
export function mirroredEpsilon(
  participations: readonly Participation[],
  protection: Protection,
  colludingSites: number,
): Pick<RoundReport['epsilon'], 'coordinator' | 'recipients'> {
  const event = eventOf(protection);
  const epsilonOf = (view: (site: string) => ReturnType<typeof coordinatorView>): ReportedEpsilon => {
    const sites = new Set(participations.flatMap(({ asked }) => asked));
    const worst = Math.max(0, ...[...sites].map((site) => rdpEpsilon(view(site), protection.delta)));
    return reported(worst);
  };
  return {
    coordinator: epsilonOf((site) =>
      coordinatorView(participations.filter((round) => mayHaveReleased(round, site)).map(() => event)),
    ),
    recipients: epsilonOf((site) =>
      recipientsView(
        participations.map(({ answered }) => ({
          answered: answered.some((other) => other === site),
          answeredSites: answered.length,
          event,
        })),
        colludingSites,
      ),
    ),
  };
}

/** What a site checks before it draws noise, in a round that its ledger does not hold; later reasons may follow a release. */
const reasonsBeforeRelease: ReadonlySet<string> = new Set(['POLICY_REFUSED', 'BUDGET_EXCEEDED']);

function mayHaveReleased({ asked, declined }: Participation, site: string): boolean {
  const refusal = declined.find((other) => other.site === site);
  return asked.some((other) => other === site) && !reasonsBeforeRelease.has(refusal?.code ?? '');
}

function eventOf(protection: Protection): MechanismEvent {
  return protection.type === 'none'
    ? { type: 'non-private' }
    : sampledGaussian(protection.noiseMultiplier, protection.samplingRate);
}

function reported(epsilon: number): ReportedEpsilon {
  return epsilon === Infinity ? 'infinite' : epsilon;
}
