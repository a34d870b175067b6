import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { Identity } from '../../shared/crypto/identity.ts';
import { reportedEpsilon } from '../../shared/privacy/accounting/accountants.ts';
import { appendEvent } from '../../shared/privacy/accounting/entries.ts';
import {
  type LedgerEntry,
  type MechanismEvent,
  sampledGaussian,
} from '../../shared/privacy/accounting/event.ts';
import { Receipt } from '../../shared/protocol/messages.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { opened } from '../../shared/protocol/signed.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../../shared/units.ts';
import { federationSettings } from '../support/a-federation.ts';
import { ledgerHashes, ledgerReceipts, ledgerRows } from '../support/ledger-files.ts';
import type { End } from '../support/lives.ts';
import { aTheatre, perform, points, type Site, type Theatre } from '../support/theatre.ts';
import type { Witness } from '../support/watched-run.ts';

/** 24 in every check; PARLEY_KILLS asks for more. */
const wanted = Number(process.env['PARLEY_KILLS'] ?? 24);
const rounds = Math.min(20, Math.ceil(wanted / 3));
const delta = Delta.parse(1e-5);
/** What each round of the plans costs. */
const planned = sampledGaussian(
  NoiseMultiplier.parse(federationSettings.protection.noiseMultiplier),
  SamplingRate.parse(federationSettings.protection.samplingRate),
);

type Row = ReturnType<typeof ledgerRows>[number];

const nameOf = ({ run, round }: { readonly run: string; readonly round: number }): string =>
  `${run} ${round}`;

/** Hashes of the byte strings that were sent as updates, by site, run and round, as the coordinator's side saw them. */
function stringsSent({ offers }: Witness): ReadonlyMap<string, ReadonlySet<string>> {
  const strings = new Map<string, Set<string>>();
  for (const offer of offers.filter(({ stage }) => stage === 'update')) {
    const name = `${offer.site} ${nameOf(offer)}`;
    strings.set(name, (strings.get(name) ?? new Set()).add(offer.sha256));
  }
  return strings;
}

/** What left this site, whole or in part, is what its ledger holds and has charged. */
function expectOneStringEach(site: Site, { witness }: Theatre): void {
  const rows = ledgerRows(site.ledger);
  const byName = new Map(rows.map((row) => [nameOf(row), row]));
  const byHash = new Map(rows.map((row) => [row.releaseSha256, row]));
  expect([byName.size, byHash.size]).toEqual([rows.length, rows.length]);
  const offers = witness.offers.filter((offer) => offer.site === site.id);
  const updates = offers.filter(({ stage }) => stage === 'update');
  for (const offer of updates) expect(offer.sha256).toBe(byName.get(nameOf(offer))?.releaseSha256);
  const hashes = ledgerHashes(site.ledger);
  for (const { ledger } of offers.filter((offer) => offer.ledger.length > 0))
    expect(hashes[ledger.length - 1]).toBe(ledger.head);
  const others = new Set(offers.filter(({ stage }) => stage !== 'update').map((offer) => offer.sha256));
  for (const chunk of [...witness.chunks.values()].filter((sent) => sent.site === site.id)) {
    const row = byHash.get(chunk.upload);
    if (!row) expect(others).toContain(chunk.upload);
    else expect(sha256(row.bytes.subarray(chunk.offset, chunk.offset + chunk.length))).toBe(chunk.sha256);
  }
  // Every string that was seen costs what the plans say, whatever the ledger has written down for it.
  const sent = new Set(updates.map((offer) => offer.sha256)).size;
  expect(sent).toBeGreaterThan(0);
  expect(epsilonOf(rows.map(({ event }) => event))).toBeGreaterThanOrEqual(
    epsilonOf(Array.from({ length: sent }, () => planned)),
  );
}

/** The reported epsilon of these releases together. */
function epsilonOf(events: readonly MechanismEvent[]): number {
  return reportedEpsilon(
    events.reduce<readonly LedgerEntry[]>((entries, event) => appendEvent(entries, event), []),
    delta,
  );
}

/** Every answer that the coordinator counted is in the ledger, and every receipt is its word for what the ledger holds. */
function expectAnswersAndReceipts({ files }: Theatre, reports: readonly RoundReport[], run: string): void {
  const { publicKey } = Identity.parse(JSON.parse(readFileSync(join(files.folder, 'identity.json'), 'utf8')));
  for (const { id, ledger } of files.sites) {
    const rows = new Map<string, Row>(ledgerRows(ledger).map((row) => [nameOf(row), row]));
    for (const { round, sites } of reports.filter((report) =>
      report.sites.answered.some((other) => other === id),
    ))
      expect([...rows.keys()], `${id} ${sites.answered.join()}`).toContain(nameOf({ run, round }));
    const receipts = ledgerReceipts(ledger).map((text) => opened(publicKey, 'receipt', Receipt, text));
    expect(receipts.length).toBeGreaterThan(0);
    for (const { site, stage, sha256: hash, ...about } of receipts)
      expect([site, stage, hash]).toEqual([id, 'update', rows.get(nameOf(about))?.releaseSha256]);
  }
}

/** How many times each step ended a process, and how many ended at random. */
function tally(ends: readonly End[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const end of ends) {
    const where = end.type === 'point' ? end.point : 'random';
    counts[where] = (counts[where] ?? 0) + 1;
  }
  return counts;
}

describe('a client that is killed again and again', () => {
  test(
    `${wanted} times, at every step of a release and at random events: one string of bytes leaves for each round`,
    async ({ annotate }) => {
      const theatre = await aTheatre({ kills: wanted, rounds });
      const expected = tally(theatre.ends);
      for (let runs = 0; theatre.ends.length > 0 && runs < 3 + wanted / 20; runs++) {
        rmSync(theatre.files.directory, { recursive: true, force: true });
        const { outcome, reports } = await perform(theatre);
        expect(outcome).toBe('finished');
        expect(reports.map(({ round }) => round)).toEqual(
          Array.from({ length: rounds }, (_, round) => round),
        );
        for (const site of theatre.files.sites) expectOneStringEach(site, theatre);
        expectAnswersAndReceipts(theatre, reports, reports[0]!.run);
      }
      expect(theatre.ends).toEqual([]);
      expect(theatre.lived).toHaveLength(wanted);
      expect(tally(theatre.lived)).toEqual(expected);
      expect(Object.keys(expected)).toEqual(expect.arrayContaining([...points]));
      const strings = [...stringsSent(theatre.witness).values()];
      const distinct = new Set(strings.flatMap((hashes) => [...hashes])).size;
      expect(strings.filter(({ size }) => size !== 1)).toEqual([]);
      expect(distinct).toBe(strings.length);
      await annotate(
        `kills: ${JSON.stringify(tally(theatre.lived))}; byte strings: ${distinct} for ${strings.length} (site, run, round), ` +
          `offered ${theatre.witness.offers.filter(({ stage }) => stage === 'update').length} times`,
      );
    },
    60_000 + wanted * 10_000,
  );
});
