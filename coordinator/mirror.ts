import { reportedEpsilon } from '../shared/privacy/accounting/accountants.ts';
import type { LedgerEntry } from '../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../shared/privacy/accounting/rdp-accountant.ts';
import { coordinatorView, recipientsView } from '../shared/privacy/accounting/views.ts';
import { type Protection, plannedEvent } from '../shared/protocol/plan.ts';
import type { ReportedEpsilon, RoundReport } from '../shared/protocol/report.ts';
import type { SiteId } from '../shared/units.ts';
import type { Participation } from './state.ts';

type Ledgers = readonly (readonly LedgerEntry[])[];

/**
 * The coordinator's mirror of the sites' ledgers: epsilon after the finished rounds, in both views, the largest over the
 * sites, as it is reported and by Renyi divergences. Against the coordinator every site that was asked is charged, since it
 * may have released bytes that came too late, unless it declined before a release; the sites' own ledgers decide.
 * Neighbouring: one user of one site added or removed.
 */
export function mirroredEpsilon(
  participations: readonly Participation[],
  protection: Protection,
  colludingSites: number,
): Required<Pick<RoundReport['epsilon'], 'coordinator' | 'recipients' | 'rdp'>> {
  const coordinator = againstCoordinator(participations, protection);
  const recipients = againstRecipients(participations, protection, colludingSites);
  const largest = (epsilon: typeof reportedEpsilon, ledgers: Ledgers): ReportedEpsilon =>
    reported(Math.max(0, ...ledgers.map((entries) => epsilon(entries, protection.delta))));
  return {
    coordinator: largest(reportedEpsilon, coordinator),
    recipients: largest(reportedEpsilon, recipients),
    rdp: { coordinator: largest(rdpEpsilon, coordinator), recipients: largest(rdpEpsilon, recipients) },
  };
}

function againstCoordinator(participations: readonly Participation[], protection: Protection): Ledgers {
  const charged = participations.map(mayHaveReleased);
  const alone = charged.map((sites) => ({ sites, sumOf: 1 }));
  return sitesToCharge(alone, protection).map((site) =>
    coordinatorView(
      charged.filter((sites) => sites.has(site)).map((_, index) => plannedEvent(protection, index === 0)),
    ),
  );
}

/** The most releases that the coordinator may have got from any one site. */
export function mostReleases(participations: readonly Participation[]): number {
  const releases = new Map<SiteId, number>();
  for (const sites of participations.map(mayHaveReleased))
    for (const site of sites) releases.set(site, (releases.get(site) ?? 0) + 1);
  return Math.max(0, ...releases.values());
}

/** With noise that is correlated over rounds, who else answered which rounds matters as well: then every site. */
function sitesToCharge(rounds: readonly SeenRound[], protection: Protection): readonly SiteId[] {
  if (protection.type !== 'user-dp-banded') return costliestSites(rounds);
  return [...new Set(rounds.flatMap(({ sites }) => [...sites]))];
}

function againstRecipients(
  participations: readonly Participation[],
  protection: Protection,
  colludingSites: number,
): Ledgers {
  const summed = participations.map(({ answered }) => ({ sites: new Set(answered), sumOf: answered.length }));
  return sitesToCharge(summed, protection).map((site) =>
    recipientsView(
      summed.map(({ sites, sumOf }, round) => ({
        ...{ answered: sites.has(site), answeredSites: sumOf, answeredBy: [...sites] },
        event: plannedEvent(protection, round === 0),
      })),
      colludingSites,
    ),
  );
}

/** What a site checks before it draws noise, in a round that its ledger does not hold; later reasons may follow a release. */
const reasonsBeforeRelease: ReadonlySet<string> = new Set(['POLICY_REFUSED', 'BUDGET_EXCEEDED']);

function mayHaveReleased({ asked, declined }: Participation): ReadonlySet<SiteId> {
  const charged = new Set(asked);
  for (const { site, code } of declined) if (reasonsBeforeRelease.has(code)) charged.delete(site);
  return charged;
}

/** Whose releases an adversary sees in a round, and as the sum of how many sites; 1 where each is seen by itself. */
export interface SeenRound {
  readonly sites: ReadonlySet<SiteId>;
  readonly sumOf: number;
}

/**
 * Some of the sites, among them one whose releases cost most: whoever has no more releases than another site, each in no
 * smaller a sum, costs no more and is left out. The rounds of a run must not differ in anything else. Of thousands of
 * sites few remain, most often one.
 */
export function costliestSites(rounds: readonly SeenRound[]): SiteId[] {
  const sumsOf = new Map<SiteId, number[]>();
  for (const { sites, sumOf } of rounds)
    for (const site of sites) {
      const sums = sumsOf.get(site) ?? [];
      if (sums.length === 0) sumsOf.set(site, sums);
      sums.push(sumOf);
    }
  for (const sums of sumsOf.values()) sums.sort((a, b) => a - b);
  const different = new Map([...sumsOf].map(([site, sums]) => [sums.join(), { site, sums }]));
  const kept: { site: SiteId; sums: readonly number[] }[] = [];
  for (const candidate of [...different.values()].sort(byCost))
    if (!kept.some(({ sums }) => candidate.sums.every((sum, index) => sum >= (sums[index] ?? Infinity))))
      kept.push(candidate);
  return kept.map(({ site }) => site);
}

/** Whoever costs at least as much as another in every release stands before it. */
function byCost(a: { sums: readonly number[] }, b: { sums: readonly number[] }): number {
  const total = (sums: readonly number[]): number => sums.reduce((sum, one) => sum + one, 0);
  return b.sums.length - a.sums.length || total(a.sums) - total(b.sums);
}

/** Epsilon as reports write it. */
export function reported(epsilon: number): ReportedEpsilon {
  return epsilon === Infinity ? 'infinite' : epsilon;
}
