import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { launchClient } from '../../client/index.ts';
import { openLedger } from '../../client/ledger.ts';
import type { ReleasePoint } from '../../client/site.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { sampledGaussian } from '../../shared/privacy/accounting/event.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { NoiseMultiplier, RoundIndex, RunId, SamplingRate } from '../../shared/units.ts';
import { aFederation, type FederationFiles } from '../support/a-federation.ts';
import { type Doors, openDoors } from '../support/doors.ts';
import { copyOf, type LedgerFiles, layOut, ledgerRows } from '../support/ledger-files.ts';
import { parleyDone } from '../support/processes.ts';
import { refusalOf } from '../support/temporary.ts';
import { aWitness, watchedRun } from '../support/watched-run.ts';

/** A federation whose first site is started and stopped by the test, while the others hold each round up for it. */
interface Federation {
  readonly files: FederationFiles;
  readonly site: FederationFiles['sites'][number];
  readonly doors: Doors;
  /** Let the steady sites score model versions up to this one; the round after it begins then. */
  letScore(version: number): void;
  /** Resolves when the run is over: its outcome and its reports since it was started last. */
  over(): Promise<{ readonly outcome: string; readonly reports: readonly RoundReport[] }>;
  restartCoordinator(): Promise<void>;
}

async function aHeldFederation(): Promise<Federation> {
  const deadlines = { answerAfterMs: 100 };
  const files = await aFederation({ federation: { rounds: 5, deadlines, cohort: { minSites: 2 } } });
  const [site, ...steady] = files.sites;
  const end = new AbortController();
  onTestFinished(() => {
    end.abort();
  });
  const doors = openDoors();
  const versions = openDoors();
  const play = (): { stop: AbortController; run: ReturnType<typeof watchedRun> } => {
    const stop = new AbortController();
    const run = watchedRun(files, {
      witness: aWitness(),
      signal: AbortSignal.any([stop.signal, end.signal]),
      message: (from, message) => {
        if (from === site!.id || message.type !== 'offer') return undefined;
        const { stage, round } = JSON.parse(message.signed.body) as { stage: string; round: number };
        return stage === 'signals' ? versions.untilIn([String(round)]) : undefined;
      },
      welcomed: doors.entered,
      left: doors.left,
    });
    return { stop, run };
  };
  let playing = play();
  const others = steady.map(({ config }) => launchClient(config, { observer: silent, signal: end.signal }));
  for (const other of others) other.catch(() => undefined);
  let letUpTo = -1;
  return {
    files,
    site: site!,
    doors,
    letScore: (version) => {
      while (letUpTo < version) versions.entered(String((letUpTo += 1)));
    },
    over: () => playing.run,
    restartCoordinator: async () => {
      playing.stop.abort();
      expect(await playing.run).toMatchObject({ outcome: 'paused' });
      playing = play();
    },
  };
}

const silent = { note: (): void => undefined, report: (): void => undefined };

/** The site, until a release has come to this point; then it is stopped, and its ledger copied. */
async function liveUntil(point: ReleasePoint, version: number, federation: Federation): Promise<LedgerFiles> {
  const { site, doors } = federation;
  const stop = new AbortController();
  const reached = new Promise<void>((resolve) => {
    const mark = (now: ReleasePoint): void => {
      if (now !== point) return;
      stop.abort();
      resolve();
    };
    const ended = refusalOf(launchClient(site.config, { observer: silent, signal: stop.signal, mark }));
    void ended.then(() => doors.untilOut(site.id)).then(resolve);
  });
  await doors.untilIn([site.id]);
  federation.letScore(version);
  await reached;
  await doors.untilOut(site.id);
  return copyOf(site.ledger);
}

function restore(ledger: string, files: LedgerFiles): void {
  for (const suffix of ['', '-wal', '-shm', '.mark', '.lock']) rmSync(ledger + suffix, { force: true });
  layOut(ledger, files);
}

/** The copy went on by itself: so many releases of another run follow in it. */
async function goOn(ledger: string, releases: number): Promise<void> {
  const open = await openLedger(ledger);
  for (let round = 0; round < releases; round++)
    await open.commit({
      run: RunId.parse('elsewhere'),
      round: RoundIndex.parse(round),
      planSha256: sha256('a plan'),
      event: sampledGaussian(NoiseMultiplier.parse(1), SamplingRate.parse(0.5)),
      bytes: Uint8Array.of(round),
    });
  await open.close();
}

describe('a ledger restored from a copy, with all that lies beside it', () => {
  test('is noticed over the wire, whatever the copy; the newest one goes on', async () => {
    const federation = await aHeldFederation();
    const { files, site, doors } = federation;
    const copies = [copyOf(site.ledger)];
    for (const round of [0, 1, 2]) copies.push(await liveUntil('received', round, federation));
    expect(ledgerRows(site.ledger).map(({ round }) => round)).toEqual([0, 1, 2]);

    const launch = (config = site.config): Promise<unknown> =>
      launchClient(config, { observer: silent, signal: new AbortController().signal });
    /** The copy after so many rounds, with so many releases of another run on top. */
    const attempt = async (rounds: number, more: number, told: string): Promise<void> => {
      restore(site.ledger, copies[rounds]!);
      await goOn(site.ledger, more);
      expect(await refusalOf(launch())).toMatchObject({
        code: 'LEDGER_ROLLBACK',
        message: expect.stringContaining(told) as unknown,
      });
    };
    const older = 'is older';
    const fork = 'has another history than the one that this coordinator has seen';
    const longer = 'this ledger of';

    await attempt(0, 0, older);
    await attempt(1, 0, older);
    await attempt(2, 0, older);
    await attempt(1, 1, older);
    await attempt(2, 1, fork);
    await attempt(0, 3, fork);
    await attempt(2, 2, longer);
    // A copy that goes on from its refusal is no better the second time.
    await attempt(2, 2, longer);
    await federation.restartCoordinator();
    await attempt(2, 0, older);
    await attempt(2, 1, fork);
    await attempt(0, 5, longer);

    restore(site.ledger, copies[1]!);
    const process = await parleyDone('client', site.config, '--json');
    expect([process.code, process.stdout]).toEqual([4, expect.stringContaining('LEDGER_ROLLBACK')]);
    expect(process.stdout).toContain('bring back the newest copy of the ledger');

    // Killed after its offer was taken and before its bytes were: the position in the offer counts.
    restore(site.ledger, copies[3]!);
    // The restarted coordinator asks for the unfinished round again.
    await liveUntil('received', 2, federation);
    copies.push(await liveUntil('offered', 3, federation));
    expect(ledgerRows(site.ledger)).toHaveLength(4);
    await attempt(3, 0, older);
    await attempt(3, 1, fork);

    // A second machine with a copy, while the site itself takes part.
    restore(site.ledger, copies[4]!);
    const itself = launchClient(site.config, { observer: silent, signal: new AbortController().signal });
    await doors.untilIn([site.id]);
    const second = join(files.folder, 'second');
    cpSync(site.folder, second, { recursive: true, filter: (path) => !path.includes('ledger.sqlite') });
    layOut(join(second, 'ledger.sqlite'), copies[2]!);
    expect(await refusalOf(launch(join(second, 'client.yaml')))).toMatchObject({ code: 'LEDGER_ROLLBACK' });

    federation.letScore(5);
    const { outcome, reports } = await federation.over();
    expect([outcome, await itself]).toEqual(['finished', expect.objectContaining({ outcome: 'finished' })]);
    expect(reports.at(-1)?.refused).toMatchObject({ LEDGER_ROLLBACK: expect.any(Number) as unknown });
    for (const { sites } of reports) expect(sites.answered).toContain(site.id);
    expect(ledgerRows(site.ledger).map(({ round }) => round)).toEqual([0, 1, 2, 3, 4]);
    // A copy that is taken waits for the round that the others hold up.
  }, 180_000);
});
