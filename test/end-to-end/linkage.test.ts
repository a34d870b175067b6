import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { rolesFor } from '../../client/audit-roles.ts';
import { readDataSchema } from '../../client/load-shard.ts';
import { readTable } from '../../client/read-table.ts';
import { trainableUsers } from '../../client/site.ts';
import { linkageKeyFrom, roleDraw } from '../../shared/crypto/pseudonym.ts';
import { encodeTable } from '../../shared/data/encode.ts';
import { pseudonymList, weightTables } from '../../shared/data/linkage.ts';
import { type Linkage, linkageOf } from '../../shared/data/linked-users.ts';
import { spreadSite } from '../../shared/data/partition.ts';
import { columnsOf, type DataSchema } from '../../shared/data/schema.ts';
import type { Shard } from '../../shared/data/shard.ts';
import type { Table } from '../../shared/data/table.ts';
import { LocalPlan } from '../../shared/model/local-trainer.ts';
import { ModelSpec } from '../../shared/model/spec.ts';
import { localTrainer } from '../../shared/model/trainer.ts';
import { gridStep, sensitivitySlack, toGrid } from '../../shared/privacy/grid.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { ClipNorm, RunId, Seed, SiteId } from '../../shared/units.ts';
import { dataDirectory, declaredAttackOnly, simulated } from '../support/simulated.ts';

const numSites = 4;
const numParams = 178;
const clipNorm = ClipNorm.parse(0.1);
const key = linkageKeyFrom(new Uint8Array(32).fill(11));
const audit = { fraction: 0.25, referenceFraction: 0.1 };
const run = RunId.parse('linked-1');
const spec = ModelSpec.parse({ inputShape: [numParams - 1], output: { type: 'sigmoid' } });
/** Two passes in shuffled steps of one record, from zero: every update exceeds C, and who shuffles otherwise shows. */
const plan = LocalPlan.parse({ epochs: 2, batchSize: 1, learningRate: 0.5 });

/** One hospital with what it holds and knows. */
interface Hospital {
  readonly name: SiteId;
  readonly shard: Shard;
  readonly linkage: Linkage;
  readonly trainable: Int32Array;
}

describe.runIf(existsSync(join(dataDirectory, 'diabetes130')))('patients spread over four sites', () => {
  let schema: DataSchema;
  let tables: readonly Table[];
  let whole: readonly Hospital[];
  let grids: { linked: Float64Array; unlinked: Float64Array };
  const patientColumn = (table: Table): number => table.header.indexOf('patient_nbr');

  beforeAll(async () => {
    schema = await readDataSchema('scenarios/catalog/schemas/diabetes130.yaml');
    const table = await readTable(join(dataDirectory, 'diabetes130/diabetes130.csv.gz'), columnsOf(schema));
    tables = Array.from({ length: numSites }, (_, site) => ({
      source: `site ${site}`,
      header: table.header,
      rows: table.rows.filter((_row, row) => spreadSite(row, numSites) === site),
    }));
    whole = hospitals(tables);
    grids = { linked: await gridSum(whole, true), unlinked: await gridSum(whole, false) };
  });

  /** Each hospital encodes its own table; then they link their users by the steps of the command. */
  function hospitals(of: readonly Table[]): Hospital[] {
    const shards = of.map((table) => encodeTable(schema, table).shard);
    const sites = shards.map(({ userIds }, index) => ({
      site: SiteId.parse(`site-${index}`),
      ...{ key, audit, userIds },
    }));
    const weights = weightTables(sites.map((site) => pseudonymList(site)));
    return sites.map((site, index) => {
      const [shard, linkage] = [shards[index]!, linkageOf(weights[index]!, site)];
      const roles = rolesFor(run, { shard, rng: seededRng(Seed.parse(1)), linkage }, audit);
      return { name: site.site, shard, linkage, trainable: trainableUsers(shard, roles) };
    });
  }

  /** The integer sums of all sites, added up: everybody who may train takes part (q = 1), nothing is noised. */
  async function gridSum(of: readonly Hospital[], isLinked: boolean): Promise<Float64Array> {
    const trainer = await localTrainer(spec, { provider: 'dense', backend: 'auto' });
    const total = new Float64Array(numParams);
    for (const { name, shard, linkage, trainable } of of) {
      const { sum } = await trainer.clippedSum({
        parameters: new Float32Array(numParams),
        ...{ shard, users: trainable, plan, round: 0, clipNorm },
        weights: isLinked ? linkage.weights : undefined,
        rng: seededRng(Seed.parse(2)).fork(name),
      });
      toGrid(sum, gridStep(clipNorm, numParams)).forEach((value, index) => {
        total[index] = total[index]! + value;
      });
    }
    return total;
  }

  /** The same hospitals as if one patient had never come to any of them. */
  function without(patient: string): Hospital[] {
    return hospitals(
      tables.map((table) => ({
        ...table,
        rows: table.rows.filter((row) => row[patientColumn(table)] !== patient),
      })),
    );
  }

  /** How far apart two sums are, in units of C. */
  function influence(a: Float64Array, b: Float64Array): number {
    return (
      (Math.hypot(...a.map((value, index) => value - b[index]!)) * gridStep(clipNorm, numParams)) / clipNorm
    );
  }

  /** Patients who train at so many sites, those with the most records first; `never` takes only who was never readmitted. */
  function patientsAt(sites: number, never = false): string[] {
    const seen = new Map<string, { sites: number; records: number; readmitted: number }>();
    for (const { shard, trainable } of whole)
      for (const user of trainable) {
        const id = shard.userIds[user]!;
        const before = seen.get(id) ?? { sites: 0, records: 0, readmitted: 0 };
        const own = shard.labels.subarray(shard.userOffsets[user], shard.userOffsets[user + 1]);
        seen.set(id, {
          sites: before.sites + 1,
          records: before.records + own.length,
          readmitted: before.readmitted + own.reduce((sum, label) => sum + label, 0),
        });
      }
    return [...seen]
      .filter(([, entry]) => entry.sites === sites && !(never && entry.readmitted > 0))
      .sort(([, a], [, b]) => b.records - a.records)
      .map(([id]) => id);
  }

  /** What each hospital holds about everybody but one patient, by patient. */
  function knowledge(of: readonly Hospital[], except: string): Map<string, unknown> {
    return new Map(
      of.flatMap(({ name, shard, linkage, trainable }) => {
        const trains = new Set(trainable);
        return shard.userIds.flatMap((id, user) => {
          const known = [linkage.weights[user], linkage.auditedHere[user], trains.has(user)];
          return id === except ? [] : [[`${name} ${id}`, known.join(' ')] as const];
        });
      }),
    );
  }

  test('one patient, removed from all sites, changes the sum over all sites by at most C; unlinked by up to four C', async () => {
    const most = 1 + sensitivitySlack(numParams);
    /** Sites, whether she was never readmitted, and the least that she changes the sum by when sites do not link her, in C. */
    const cases: readonly (readonly [number, boolean, number])[] = [
      [4, false, 1.5],
      // Whose records all say the same, so that her updates at the four sites point the same way.
      [4, true, 3],
      [3, true, 2],
      [2, true, 1.5],
      [1, false, 0.5],
    ];
    for (const [sites, never, least] of cases) {
      const rest = without(patientsAt(sites, never)[0]!);
      const linked = influence(grids.linked, await gridSum(rest, true));
      expect(linked).toBeGreaterThan(0.3);
      expect(linked).toBeLessThanOrEqual(most);
      // The bound above would fail here for everybody at several sites.
      const unlinked = influence(grids.unlinked, await gridSum(rest, false));
      expect(unlinked).toBeGreaterThan(least);
      expect(unlinked).toBeLessThanOrEqual(sites * most);
    }
  });

  test("removing a patient changes nobody else's weight, role or place in training", () => {
    const removed = patientsAt(4)[2]!;
    const rest = without(removed);
    expect(rest.map(({ shard }) => shard.userIds.includes(removed))).toEqual(Array(numSites).fill(false));
    expect(knowledge(rest, removed)).toEqual(knowledge(whole, removed));
  });

  test('weights of nobody add up to more than 1, a patient has one role at all sites, and one site audits her', () => {
    const sums = new Map<string, { weight: number; trains: boolean[]; audited: number; draw: boolean }>();
    for (const { shard, linkage, trainable } of whole) {
      const trains = new Set(trainable);
      shard.userIds.forEach((id, user) => {
        const { audited, reference, member } = roleDraw(key, run, linkage.pseudonyms[user]!);
        const draw = audited >= audit.fraction || (reference >= audit.referenceFraction && member);
        const before = sums.get(id) ?? { weight: 0, trains: [], audited: 0, draw };
        sums.set(id, {
          weight: before.weight + linkage.weights[user]!,
          trains: [...before.trains, trains.has(user)],
          audited: before.audited + Number(linkage.auditedHere[user]!),
          draw,
        });
      });
    }
    const persons = [...sums.values()];
    // Counted by another program from the same file: 70,439 patients, of whom 13,741 are at two sites or more.
    expect(persons).toHaveLength(70_439);
    expect(persons.filter(({ trains }) => trains.length > 1)).toHaveLength(13_741);
    expect(Math.max(...persons.map(({ weight }) => weight))).toBe(1);
    expect(Math.min(...persons.map(({ weight }) => weight))).toBeGreaterThan(1 - 1e-8);
    expect(persons.every(({ audited }) => audited === 1)).toBe(true);
    expect(persons.every(({ trains, draw }) => trains.every((does) => does === draw))).toBe(true);
  });

  test('the linked scenario runs to its end within its promise', async () => {
    const last = (await simulated('diabetes130-linked', 1, declaredAttackOnly)).reports.at(-1);
    expect(last?.sites.answered).toHaveLength(4);
    expect(last?.epsilon.coordinator).toBeLessThanOrEqual(2);
    expect(last?.utility.value).toBeGreaterThanOrEqual(0.63);
    // A quarter of the 70,439 patients, each audited once; by the sites' own coins it would be a quarter of 88,403 entries.
    const { members = 0, heldOut = 0, reference = 0 } = last?.audit ?? {};
    expect(Math.abs(members + heldOut + reference - 70_439 / 4)).toBeLessThan(600);
  });
});
