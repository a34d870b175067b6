import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Database from 'libsql';
import { afterAll, describe, expect, test } from 'vitest';
import { type NewRelease, openLedger } from '../../../client/ledger.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { ParleyError } from '../../../shared/errors.ts';
import { MechanismEvent } from '../../../shared/privacy/accounting/event.ts';
import type { LedgerPosition } from '../../../shared/protocol/ledger-position.ts';
import { RoundIndex } from '../../../shared/units.ts';
import { run } from '../../support/a-site.ts';
import { copyOf, type LedgerFiles, layOut } from '../../support/ledger-files.ts';

// Every byte takes tens of thousands of openings and minutes, so the usual checks take every seventeenth: a step that meets
// every bit and every offset in a page.
const everyByte = process.env['PARLEY_TORN'] === 'every';
const step = everyByte ? 1 : 17;

// Thousands of openings: in memory where there is a file system for it, since nothing here is about fsync.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'parley-torn-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function release(round: number): NewRelease {
  return {
    run,
    round: RoundIndex.parse(round),
    planSha256: sha256(`plan ${round}`),
    event: MechanismEvent.parse({ type: 'gaussian', noiseMultiplier: 3 + round }),
    bytes: new Uint8Array(40).fill(round + 1),
    noiseState: new Uint8Array(24).fill(100 + round),
  };
}

const last = 3;

interface Written {
  /** As the crash of the process right after the last commit leaves it: entries in the log, not yet in the main file. */
  readonly open: LedgerFiles;
  /** The same one commit earlier. */
  readonly before: LedgerFiles;
  /** Closed: all in the main file. */
  readonly closed: LedgerFiles;
  readonly closedBefore: LedgerFiles;
  /** Position after each commit, from the empty ledger on. */
  readonly positions: readonly LedgerPosition[];
}

/** A ledger of four rounds, on small pages so that every byte can be tried. */
async function written(): Promise<Written> {
  const path = join(folder, 'whole.sqlite');
  const database = new Database(path);
  for (const statement of ['pragma page_size = 512', 'create table x (y)', 'drop table x'])
    database.exec(statement);
  database.close();
  let ledger = await openLedger(path);
  const positions = [ledger.position()];
  for (let round = 0; round < last; round++) {
    await ledger.commit(release(round));
    positions.push(ledger.position());
  }
  await ledger.close();
  const closedBefore = copyOf(path);
  ledger = await openLedger(path);
  const before = copyOf(path);
  // Somebody looks at the ledger meanwhile, so the commit stays in the log.
  const look = new Database(path);
  look.exec('begin');
  look.prepare('select count(*) from entry').all();
  await ledger.commit(release(last));
  positions.push(ledger.position());
  const open = copyOf(path);
  look.exec('commit');
  look.close();
  await ledger.close();
  return { open, before, closed: copyOf(path), closedBefore, positions };
}

// The database keeps a closed file's handles until its statements are collected.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const files = await written();
let copies = 0;

/** Open damaged files: how many entries came back, or the code of the refusal. Everything that comes back is as committed. */
async function openedAs(damaged: LedgerFiles): Promise<number | string> {
  const path = join(folder, `${copies++}.sqlite`);
  if (copies % 100 === 0) {
    collectGarbage();
    await turnOfTheLoop();
  }
  layOut(path, damaged);
  try {
    const ledger = await openLedger(path);
    const position = ledger.position();
    expect(position).toEqual(files.positions[position.length]);
    const newest = await ledger.release(run, RoundIndex.parse(last)).catch(codeOf);
    if (position.length <= last) expect(newest).toBeUndefined();
    else if (newest !== 'RELEASE_FORFEITED') expect(newest).toMatchObject({ bytes: release(last).bytes });
    const state = await ledger.noiseState(run).catch(codeOf);
    if (state !== 'RELEASE_FORFEITED') expect(state).toEqual(release(position.length - 1).noiseState);
    await ledger.close();
    return position.length;
  } catch (error) {
    return codeOf(error);
  } finally {
    for (const suffix of ['', '-wal', '-shm', '.mark', '.lock']) rmSync(path + suffix, { force: true });
  }
}

function codeOf(error: unknown): string {
  if (error instanceof ParleyError) return error.code;
  throw error;
}

async function outcomes(damaged: Iterable<LedgerFiles>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const one of damaged) {
    const outcome = await openedAs(one);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

/** Cut off at each of these lengths. */
function* truncated(bytes: Uint8Array, lengths: Iterable<number>): Generator<Uint8Array> {
  for (const length of lengths) yield bytes.subarray(0, length);
}

/** One bit turned in every byte that is named, each time another one. */
function* flipped(bytes: Uint8Array, places: Iterable<number>): Generator<Uint8Array> {
  for (const place of places) {
    const copy = Uint8Array.from(bytes);
    copy[place]! ^= 1 << (place % 8);
    yield copy;
  }
}

function* mapped<T, U>(values: Iterable<T>, change: (value: T) => U): Generator<U> {
  for (const value of values) yield change(value);
}

/** The places from .. to - 1 that are tried, both ends among them. */
function placesBetween(from: number, to: number): number[] {
  const places = Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + step * index);
  return places.at(-1) === to - 1 ? places : [...places, to - 1];
}

const { open, before, closed, closedBefore } = files;
const wal = open.wal!;
const walBefore = before.wal?.length ?? 0;
const inLog = placesBetween(walBefore, wal.length);

describe(`a torn write of the last commit, at every ${everyByte ? '' : `${step}th `}byte`, {
  timeout: 480_000,
}, () => {
  test('the log cut off before the mark was written: the entries before it, and nothing of it', async () => {
    const cuts = mapped(truncated(wal, inLog), (cut) => ({ ...open, wal: cut, mark: before.mark }));
    expect(wal.length - walBefore).toBeGreaterThan(2000);
    expect(await outcomes(cuts)).toEqual({ [last]: inLog.length });
    expect(await openedAs({ ...open, mark: before.mark })).toBe(last + 1);
  });

  test('the same after the mark was written: noticed', async () => {
    const cuts = mapped(truncated(wal, inLog), (cut) => ({ ...open, wal: cut }));
    expect(await outcomes(cuts)).toEqual({ LEDGER_ROLLBACK: inLog.length });
    expect(await openedAs(open)).toBe(last + 1);
  });

  test('a bit turned in its log: the entries before it, or noticed', async () => {
    const unmarked = mapped(flipped(wal, inLog), (turned) => ({ ...open, wal: turned, mark: before.mark }));
    expect(await outcomes(unmarked)).toEqual({ [last]: inLog.length });
    const marked = mapped(flipped(wal, inLog), (turned) => ({ ...open, wal: turned }));
    expect(await outcomes(marked)).toEqual({ LEDGER_ROLLBACK: inLog.length });
  });

  test('the log half brought into the main file, up to any byte: whole', async () => {
    const cuts = mapped(placesBetween(0, closed.main!.length), (place) => ({
      ...open,
      main: Buffer.concat([closed.main!.subarray(0, place), open.main!.subarray(place)]),
    }));
    expect(Buffer.compare(closed.main!, open.main!)).not.toBe(0);
    expect(await outcomes(cuts)).toEqual({ [last + 1]: placesBetween(0, closed.main!.length).length });
  });

  test('the main file cut off: refused', async () => {
    const main = closed.main!;
    const lengths = placesBetween(0, main.length);
    const found = await outcomes(mapped(truncated(main, lengths), (cut) => ({ ...closed, main: cut })));
    const { LEDGER_CORRUPT: corrupt = 0, LEDGER_ROLLBACK: rollback = 0, ...others } = found;
    expect(others).toEqual({});
    expect(corrupt + rollback).toBe(lengths.length);
    expect(await openedAs(closed)).toBe(last + 1);
  });

  test('a bit turned in its pages in the main file: refused, or whole, or the round is forfeited', async () => {
    const main = closed.main!;
    const places = placesBetween(0, main.length).filter((place) =>
      pageChanged(main, closedBefore.main!, place),
    );
    expect(places.length).toBeGreaterThan(2000 / step);
    const found = await outcomes(mapped(flipped(main, places), (turned) => ({ ...closed, main: turned })));
    const { LEDGER_CORRUPT: corrupt = 0, [last + 1]: whole = 0, ...others } = found;
    expect(others).toEqual({});
    expect(corrupt).toBeGreaterThan(500 / step);
    expect(corrupt + whole).toBe(places.length);
  });
});

function pageChanged(after: Uint8Array, earlier: Uint8Array, place: number): boolean {
  const start = place - (place % 512);
  return Buffer.compare(after.subarray(start, start + 512), earlier.subarray(start, start + 512)) !== 0;
}
