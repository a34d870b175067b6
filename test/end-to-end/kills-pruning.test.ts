import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import Database from 'libsql';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { Receipt, Signed } from '../../shared/protocol/messages.ts';
import { firstUnprunedVersion } from '../../shared/protocol/plan.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import { aFederation, type FederationFiles } from '../support/a-federation.ts';
import { ledgerRows } from '../support/ledger-files.ts';
import { type Life, warmedUp } from '../support/lives.ts';
import { oneFile } from '../support/one-file.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A coordinator dies in this round when so many of the three sites have scored the model, before or after its pruning. */
interface Death {
  readonly round: number;
  readonly scored: number;
  readonly model: 'unpruned' | 'pruned';
}

/** The steps are after rounds 1 and 3; in the latter the model is under a mask already. */
const steps = { firstRound: 1, recoveryRounds: 2, share: 0.5 };
const rounds = 6;
const deaths: readonly Death[] = [
  { round: 1, scored: 3, model: 'unpruned' },
  { round: 1, scored: 0, model: 'pruned' },
  { round: 3, scored: 3, model: 'unpruned' },
  { round: 3, scored: 0, model: 'pruned' },
  { round: 3, scored: 1, model: 'pruned' },
];

function layOut(): Promise<FederationFiles> {
  const layers = [{ type: 'dense', units: 8, activation: 'relu' }];
  return aFederation({
    federation: {
      ...{
        seed: 7,
        rounds,
        pruning: { steps },
        deadlines: { answerAfterMs: 0 },
        server: { type: 'fedadam' },
      },
      model: { inputShape: [27], layers, output: { type: 'sigmoid' } },
    },
    client: { seed: 7 },
  });
}

/** The same federation with the same keys and nothing done yet, in another folder. */
function copyOf(files: FederationFiles): FederationFiles {
  const folder = join(temporaryFolder(), 'copy');
  cpSync(files.folder, folder, { recursive: true });
  const moved = (path: string): string => join(folder, relative(files.folder, path));
  return {
    ...files,
    ...{ folder, coordinator: moved(files.coordinator), directory: moved(files.directory) },
    sites: files.sites.map(({ id, config, folder: own, ledger }) => {
      return { id, config: moved(config), folder: moved(own), ledger: moved(ledger) };
    }),
  };
}

interface Theatre {
  /** What the processes run. */
  readonly programs: { readonly coordinator: string; readonly client: string };
  readonly files: FederationFiles;
  readonly deaths: readonly Death[];
  readonly died: (death: Death) => void;
}

function begun(program: string): Life {
  const life = warmedUp(program);
  onTestFinished(() => {
    life.kill();
  });
  return life;
}

/** A whole run, whose sites live through it and whose coordinator dies these deaths and is started again. */
async function perform({ programs, files, deaths, died }: Theatre): Promise<void> {
  let next = begun(programs.coordinator);
  const sites = Promise.all(files.sites.map(({ config }) => begun(programs.client).live(config, undefined)));
  sites.catch(() => undefined);
  for (const death of deaths) {
    const { round, scored, model } = death;
    const point = `${round} sites scored ${scored} ${files.sites.length}`;
    const life = next;
    next = begun(programs.coordinator);
    // The unpruned model is scored first.
    const end = { type: 'point', point, time: model === 'unpruned' ? 1 : 2 } as const;
    expect(await life.live(files.coordinator, end)).toBe('SIGKILL');
    died(death);
  }
  expect(await next.live(files.coordinator, undefined)).toBe(null);
  expect(await sites).toEqual([null, null, null]);
}

function rowsOf<T>(file: string, query: string, row: z.ZodType<T>): T[] {
  const database = new Database(file, { readonly: true });
  try {
    return z.array(row).parse(database.prepare(query).all());
  } finally {
    database.close();
  }
}

function reportsOf({ directory }: FederationFiles): RoundReport[] {
  const lines = readFileSync(join(directory, 'rounds.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => RoundReport.parse(JSON.parse(line)));
}

const modelFile = ({ directory }: FederationFiles, hash = ''): string =>
  join(directory, 'models', `${hash}.safetensors`);

/** What the directory holds of a round that was given up: it ends between the two scorings, or in the second one. */
function expectDeath(
  files: FederationFiles,
  { round, scored, model }: Death,
  whole: readonly RoundReport[],
): void {
  const { modelSha256, pruning } = whole[round]!;
  expect(reportsOf(files)).toHaveLength(round);
  expect(existsSync(modelFile(files, pruning?.step?.unprunedSha256))).toBe(true);
  for (const hash of [modelSha256, pruning?.maskSha256])
    expect(existsSync(modelFile(files, hash)), hash).toBe(model === 'pruned');
  const scores = rowsOf(
    join(files.directory, 'coordinator.sqlite'),
    `select version from signals where version > ${round}`,
    z.object({ version: z.number() }),
  ).map(({ version }) => version);
  const unpruned = firstUnprunedVersion + round + 1;
  expect(scores.filter((version) => version === unpruned)).toHaveLength(files.sites.length);
  const later = scores.filter((version) => version === round + 1).length;
  // A site's scores are stored before they count.
  if (model === 'pruned' && scored > 0) expect(later).toBeGreaterThanOrEqual(scored);
  else expect(later).toBe(0);
}

const ReceiptRow = z.object({ receipt: z.string().transform((text) => Signed.parse(JSON.parse(text))) });

/** A ledger without the times of its entries, and without the chain of hashes, which is over the times too. */
function ledgerOf(ledger: string): unknown {
  return {
    entries: rowsOf(ledger, 'select * from entry order by position', z.looseObject({})).map((entry) => {
      return { ...entry, time_ms: 0, hash: '', previous_hash: '' };
    }),
    releases: ledgerRows(ledger).map(({ bytes, ...row }) => ({ ...row, bytes: sha256(bytes) })),
    receipts: rowsOf(ledger, 'select * from receipt order by round', ReceiptRow).map(({ receipt }) => {
      const { ledger: position, ...about } = Receipt.parse(JSON.parse(receipt.body));
      return { ...about, length: position.length };
    }),
    roles: rowsOf(ledger, 'select run, sha256 from roles', z.looseObject({})),
  };
}

/**
 * Everything that a run leaves but the times, and but counts of refused uploads: an answer to the coordinator that died comes
 * too early for the next one, which asks for it again.
 */
function leftBy(files: FederationFiles): Record<string, unknown> {
  const scores = join(files.directory, 'scores');
  const hashed = (name: string): string[] => [name, sha256(new Uint8Array(readFileSync(join(scores, name))))];
  const reports = reportsOf(files);
  return {
    model: reports.at(-1)?.modelSha256,
    reports: reports.map((report) => ({ ...report, seconds: 0, refused: {} })),
    refusals: reports.flatMap(({ refused }) => Object.keys(refused)).filter((code) => code !== 'STALE_ROUND'),
    models: readdirSync(dirname(modelFile(files))).toSorted(),
    scores: readdirSync(scores).toSorted().map(hashed),
    ledgers: files.sites.map(({ ledger }) => ledgerOf(ledger)),
  };
}

test('a coordinator killed between the two scorings of a pruning step, or in the second, ends as if it never was', async () => {
  const programs = {
    coordinator: oneFile('test/support/doomed-coordinator.ts'),
    client: oneFile('test/support/doomed-client.ts'),
  };
  const files = await layOut();
  const killed = copyOf(files);
  await perform({ programs, files, deaths: [], died: () => undefined });
  const whole = reportsOf(files);
  expect(whole.flatMap(({ round, pruning }) => (pruning?.step ? [round] : []))).toEqual([1, 3]);
  const died = (death: Death): void => {
    expectDeath(killed, death, whole);
  };
  await perform({ programs, files: killed, deaths, died });
  expect(leftBy(killed)).toEqual(leftBy(files));
  expect(leftBy(files)).toMatchObject({ model: whole[rounds - 1]!.modelSha256, refusals: [] });
});
