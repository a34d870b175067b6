import { appendFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openStore, type Store } from '../../../coordinator/store/store.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { RoundIndex, SiteId } from '../../../shared/units.ts';
import { aManifest, aReport } from '../../support/a-report.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const round = (index: number): RoundIndex => RoundIndex.parse(index);
const [east, west] = [SiteId.parse('east'), SiteId.parse('west')];
const moments = (index: number): Uint8Array => Uint8Array.of(index, 200, 0);

const scores = (index: number): { all: Uint8Array; declared: Uint8Array } => ({
  all: Uint8Array.of(index, 1),
  declared: Uint8Array.of(index, 2),
});

async function opened(directory: string): Promise<Store> {
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  return store;
}

/** A directory with a manifest and two finished rounds, closed again. */
async function twoRounds(): Promise<string> {
  const directory = join(temporaryFolder(), 'deep', 'run');
  const store = await openStore(directory);
  await store.runId('tiny-1');
  await store.saveManifest(aManifest());
  for (const index of [0, 1])
    await store.finish({
      report: aReport({ round: index }),
      optimizer: moments(index),
      scores: scores(index),
    });
  await store.close();
  return directory;
}

const log = (directory: string): string => readFileSync(join(directory, 'rounds.jsonl'), 'utf8');
const lines = (...rounds: readonly number[]): string =>
  rounds.map((index) => `${JSON.stringify(aReport({ round: index }))}\n`).join('');

describe('a run directory', () => {
  test('holds after reopening what was put into it', async () => {
    const store = await opened(await twoRounds());
    expect(await store.runId('another')).toBe('tiny-1');
    expect(await store.manifest()).toEqual(aManifest());
    expect(await store.reports()).toEqual([aReport({ round: 0 }), aReport({ round: 1 })]);
    expect(await store.optimizer()).toEqual(moments(1));
  });

  test('new, holds nothing', async () => {
    const store = await opened(join(temporaryFolder(), 'run'));
    expect([await store.manifest(), await store.optimizer(), await store.reports()]).toEqual([
      undefined,
      undefined,
      [],
    ]);
    expect([await store.rosters(), await store.signals(round(0))]).toEqual([new Map(), new Map()]);
  });

  test.each<[string, (file: string) => void]>([
    [
      'a torn last line',
      (file) => {
        truncateSync(file, log(join(file, '..')).length - 40);
      },
    ],
    [
      'a line too many',
      (file) => {
        appendFileSync(file, '{"round":7}\n');
      },
    ],
    [
      'no line at all',
      (file) => {
        writeFileSync(file, '');
      },
    ],
  ])('mends %s of rounds.jsonl when it is opened', async (_what, damage) => {
    const directory = await twoRounds();
    expect(log(directory)).toBe(lines(0, 1));
    damage(join(directory, 'rounds.jsonl'));
    const store = await opened(directory);
    expect(log(directory)).toBe(lines(0, 1));
    await store.finish({ report: aReport({ round: 2 }), optimizer: moments(2), scores: scores(2) });
    expect(log(directory)).toBe(lines(0, 1, 2));
  });

  test('mends copies of scores: one file for each round, and one of the newest with every attack', async () => {
    const directory = await twoRounds();
    const file = (name: string): string => join(directory, 'scores', `${name}.safetensors`);
    const bytes = (name: string): number[] => [...readFileSync(file(name))];
    expect(readdirSync(join(directory, 'scores')).toSorted()).toEqual([
      'newest.safetensors',
      'round-00000.safetensors',
      'round-00001.safetensors',
    ]);
    rmSync(file('round-00000'));
    writeFileSync(file('newest'), 'torn');
    await opened(directory);
    expect([bytes('round-00000'), bytes('round-00001'), bytes('newest')]).toEqual([
      [0, 2],
      [1, 2],
      [1, 1],
    ]);
  });

  test('takes a round once: report and optimizer stay together', async () => {
    const directory = await twoRounds();
    const store = await opened(directory);
    await refusalOf(
      store.finish({ report: aReport({ round: 1, seed: 2 }), optimizer: moments(9), scores: scores(9) }),
    );
    expect(await store.reports()).toEqual([aReport({ round: 0 }), aReport({ round: 1 })]);
    expect(await store.optimizer()).toEqual(moments(1));
    expect(log(directory)).toBe(lines(0, 1));
  });

  test('keeps the first manifest', async () => {
    const directory = await twoRounds();
    const store = await opened(directory);
    await store.saveManifest(aManifest(2));
    expect(await store.manifest()).toEqual(aManifest());
    expect(JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))).toEqual(aManifest());
  });

  test('keeps the cohort with which a round began, over reopenings', async () => {
    const directory = join(temporaryFolder(), 'run');
    const store = await openStore(directory);
    expect(await store.begin(round(3), [east, west])).toEqual([east, west]);
    expect(await store.begin(round(3), [west])).toEqual([east, west]);
    await store.close();
    const again = await opened(directory);
    expect(await again.begin(round(3), [])).toEqual([east, west]);
    expect(await again.begin(round(4), [west])).toEqual([west]);
  });

  test('forgets the signals of a round that begins again, and of no other', async () => {
    const store = await opened(join(temporaryFolder(), 'run'));
    for (const version of [0, 1, 2]) await store.saveSignals(round(version), east, Uint8Array.of(version));
    await store.begin(round(1), [east, west]);
    expect(await store.signals(round(2))).toEqual(new Map());
    await store.saveSignals(round(2), west, Uint8Array.of(7));
    expect(await store.signals(round(2))).toEqual(new Map([[west, Uint8Array.of(7)]]));
    expect(await store.signals(round(1))).toEqual(new Map([[east, Uint8Array.of(1)]]));
    expect(await store.signals(round(0))).toEqual(new Map([[east, Uint8Array.of(0)]]));
  });

  test('keeps the first roster and the first signals of a site, sorted by site', async () => {
    const directory = join(temporaryFolder(), 'run');
    const store = await openStore(directory);
    for (const [site, byte] of [
      [west, 1],
      [east, 2],
      [west, 3],
    ] as const) {
      await store.saveRoster(site, Uint8Array.of(byte));
      await store.saveSignals(round(1), site, Uint8Array.of(byte));
    }
    await store.close();
    const kept = [
      [east, Uint8Array.of(2)],
      [west, Uint8Array.of(1)],
    ];
    const again = await opened(directory);
    expect([...(await again.rosters())]).toEqual(kept);
    expect([...(await again.signals(round(1)))]).toEqual(kept);
  });

  test('holds a model once, under its hash, and leaves no other file behind', async () => {
    const directory = join(temporaryFolder(), 'run');
    const store = await opened(directory);
    const bytes = Uint8Array.of(1, 2, 3);
    expect([store.saveModel(bytes), store.saveModel(bytes)]).toEqual([sha256(bytes), sha256(bytes)]);
    expect(store.model(sha256(bytes))).toEqual(bytes);
    expect(store.model(sha256('other'))).toBeUndefined();
    expect(readdirSync(join(directory, 'models'))).toEqual([`${sha256(bytes)}.safetensors`]);
  });

  test('that cannot be written to any more says which file, and what to do', async () => {
    const directory = join(temporaryFolder(), 'run');
    const store = await opened(directory);
    // The folders are gone from under it, as with a disk that was taken out; also root is refused then.
    rmSync(join(directory, 'models'), { recursive: true });
    expect(() => store.saveModel(Uint8Array.of(1))).toThrow(
      expect.objectContaining({
        code: 'DIRECTORY_UNWRITABLE',
        message: expect.stringMatching(/models.*\.safetensors cannot be written \(.*make room/) as unknown,
      }),
    );
  });

  test('that cannot be one is refused before anything happens', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    for (const directory of [file, join(file, 'run')])
      expect(await refusalOf(openStore(directory))).toMatchObject({
        code: 'DIRECTORY_UNWRITABLE',
        message: expect.stringContaining(directory) as unknown,
      });
  });
});
