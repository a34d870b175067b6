import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readTable } from '../../client/index.ts';
import {
  type Reference,
  type ReferenceUser,
  referenceOf,
} from '../../coordinator/serve/monitor/reference.ts';
import { MonitorSettings } from '../../coordinator/serve/monitor/settings.ts';
import { createSketcher } from '../../coordinator/serve/monitor/sketch.ts';
import {
  type Finding,
  monitorOf,
  newWatch,
  type Observation,
  observed,
} from '../../coordinator/serve/monitor/watch.ts';
import { perturbedCopies } from '../../scenarios/audit/through/copies.ts';
import { encodeTable } from '../../shared/data/encode.ts';
import { type NamedUser, namedUsers } from '../../shared/data/named-records.ts';
import { recordReader } from '../../shared/data/read-record.ts';
import { classNames, columnsOf, dataSchemaOf } from '../../shared/data/schema.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { shuffled, uniformBelow } from '../../shared/random/sample.ts';
import { Seed } from '../../shared/units.ts';
import { dataDirectory } from '../support/simulated.ts';

const rng = seededRng(Seed.parse(9));
const schemaFile = 'scenarios/catalog/schemas/diabetes130.yaml';
const schema = dataSchemaOf(readFileSync(schemaFile, 'utf8'), schemaFile);
const { ordinary, falseAlarms } = MonitorSettings.parse({});
const numCallers = 1000;
const reader = recordReader(schema);
const width = reader.featureNames.length;
const sketcher = createSketcher(width, rng.fork('secret').bytes(32));
/** Pooled logistic regression would do as well: any answers that depend on the record. */
const weights = Float64Array.from({ length: width }, () => rng.uniform() - 0.6);

let shard: Shard;
let people: readonly NamedUser[] = [];
let reference: Reference;
/** Patients whom the reference does not know. */
let asked: readonly number[] = [];

function answerTo(record: Float32Array): { label: number; confidence: number } {
  const logit = record.reduce((sum, value, i) => sum + value * weights[i]!, 0);
  const p = 1 / (1 + Math.exp(-logit));
  return { label: p > 0.5 ? 1 : 0, confidence: Math.max(p, 1 - p) };
}

function observationOf(record: Float32Array, groups: readonly number[]): Observation {
  return { digest: sketcher.digest(record), sketch: sketcher.sketch(record), groups, ...answerTo(record) };
}

const groupsOf = (user: number): number[] => shard.subpopulations.map(({ codes }) => codes[user]!);

function recordsOf(user: number): Float32Array[] {
  const rows: Float32Array[] = [];
  for (let row = shard.userOffsets[user]!; row < shard.userOffsets[user + 1]!; row++)
    rows.push(shard.features.subarray(row * width, (row + 1) * width));
  return rows;
}

const known = new Map<number, readonly Observation[]>();

function ofUsers(users: readonly number[]): Observation[] {
  return users.flatMap((user) => {
    const observations =
      known.get(user) ?? recordsOf(user).map((record) => observationOf(record, groupsOf(user)));
    known.set(user, observations);
    return observations;
  });
}

function findings(observations: readonly Observation[], expects: readonly string[] = []): readonly Finding[] {
  const monitor = monitorOf(reference, { ordinary, falseAlarms: falseAlarms / numCallers }, expects);
  return observed(monitor, newWatch(monitor), observations).findings;
}

const some = (count: number, from: readonly number[] = asked): number[] =>
  Array.from({ length: count }, () => from[uniformBelow(rng, from.length)]!);

beforeAll(async () => {
  const table = await readTable(join(dataDirectory, 'diabetes130/diabetes130.csv.gz'), columnsOf(schema));
  ({ shard } = encodeTable(schema, table));
  people = namedUsers(schema, table);
  const order = [...shuffled(rng, shard.userIds.length)];
  const users = order.slice(0, 10_000).map((user): ReferenceUser => {
    const [record = new Float32Array(width)] = recordsOf(user);
    return { record, groups: groupsOf(user), ...answerTo(record) };
  });
  reference = referenceOf(
    users,
    { subpopulations: shard.subpopulations, classes: classNames(schema) },
    sketcher,
  );
  asked = order.slice(10_000);
});

describe('1,000 ordinary callers of diabetes130', () => {
  test('who ask about 50 to 150 whole patients, and about a batch of them twice, are never flagged', () => {
    const flagged = Array.from({ length: numCallers }, () => {
      const patients = some(50 + uniformBelow(rng, 100));
      // A batch whose answer got lost is sent again.
      return findings(ofUsers([...patients, ...patients.slice(0, uniformBelow(rng, 50))]));
    }).filter((found) => found.length > 0);
    expect(flagged).toEqual([]);
  });
});

describe('within 200 records the monitor flags', () => {
  const detectors = (found: readonly Finding[]): string[] => [
    ...new Set(found.map(({ detector }) => detector)),
  ];

  test('averaging: five records asked about again and again', () => {
    const targets = ofUsers(some(5)).slice(0, 5);
    const queries = Array.from({ length: 200 }, (_, query) => targets[query % 5]!);
    expect(detectors(findings(queries.slice(0, 40)))).toContain('repeats');
    expect(detectors(findings(ofUsers(some(10)).concat(queries)))).toContain('repeats');
  });

  test('a label-only attack: twenty copies of each target with up to three other values', () => {
    const others = people.slice(0, 2000).flatMap(({ records }) => records);
    const caught = Array.from({ length: 20 }, () => {
      const queries = some(10).flatMap((user) => {
        const [target = {}] = people[user]!.records;
        return [target, ...perturbedCopies(target, others, 19, rng)].map((record) => {
          const features = new Float32Array(width);
          expect(reader.read(record, features, 0)).toBeUndefined();
          return observationOf(features, reader.groups(record));
        });
      });
      return detectors(findings(queries.slice(0, 200))).includes('copies');
    });
    expect(caught).not.toContain(false);
  });

  test('a sweep through one subpopulation, but not of a caller who is expected to ask about it', () => {
    const race = shard.subpopulations.find(({ column }) => column === 'race')!;
    const asian = asked.filter((user) => race.vocabulary[race.codes[user]!] === 'Asian');
    const queries = ofUsers(some(200, asian)).slice(0, 200);
    const found = findings(queries);
    expect(found[0]).toMatchObject({ detector: 'subpopulation', group: 'race=Asian' });
    expect(findings(queries, ['race=Asian']).map(({ group }) => group)).not.toContain('race=Asian');
  });

  test('a calibration set of records on which the model is surest', () => {
    const sure = asked.filter(
      (user) => answerTo(recordsOf(user)[0]!).confidence > reference.bandLimits.at(-1)!,
    );
    const queries = ofUsers(some(200, sure)).slice(0, 200);
    expect(detectors(findings(queries))).toContain('calibration');
  });
});

test('what it cannot see: members and others asked about once, in any order, like an ordinary caller', () => {
  expect(findings(ofUsers(some(150)))).toEqual([]);
});
