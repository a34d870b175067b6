import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join, resolve } from 'node:path';
import { createCallerKey } from '../coordinator/serve/caller-key.ts';
import { launchServe } from '../coordinator/serve/launch-serve.ts';
import type { Category } from '../shared/data/category.ts';
import { formatCsv } from '../shared/data/csv.ts';
import type { FeatureSchema } from '../shared/data/feature-schema.ts';
import { columnsOf, type DataSchema, dataSchemaOf } from '../shared/data/schema.ts';
import { initialParameters } from '../shared/model/initial.ts';
import { layoutOf } from '../shared/model/layout.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { encodedModel } from '../shared/protocol/payloads.ts';
import { type Rng, seededRng } from '../shared/random/rng.ts';
import { uniformBelow } from '../shared/random/sample.ts';
import { Seed } from '../shared/units.ts';
import { processorSeconds } from './measure.ts';
import type { Part } from './part.ts';

/** `parley serve` with the model and the schema of diabetes130, everything switched on. */
export const serve: Part = {
  name: 'serve',
  about: 'predictions of the diabetes130 model over HTTP: hardened, watched and logged',
  how: 'Server and callers share one process, and so one core; made-up records by the real schema, never one twice; every request is logged before it is answered.',
  run: async ({ quick, directory, emit }) => {
    const rng = seededRng(Seed.parse(5));
    const file = resolve('scenarios/catalog/schemas/diabetes130.yaml');
    const schema = dataSchemaOf(readFileSync(file, 'utf8'), file);
    const { key, keySha256 } = createCallerKey(rng);
    const { model, config } = layOut(directory, { schema, file, keySha256, rng });
    const server = await launchServe(model, config, {
      rng,
      now: () => Math.floor(performance.now()),
      note: () => undefined,
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    for (const [name, perRequest, requests, goal] of [
      ['one record a request, 8 connections', 1, quick ? 4 : 4000, { atLeast: 1000 }],
      ['100 records a request, 8 connections', 100, quick ? 1 : 200, { atLeast: 1000 }],
    ] as const) {
      const bodies = Array.from({ length: requests }, () =>
        JSON.stringify({ records: Array.from({ length: perRequest }, () => madeUpRecord(schema, rng)) }),
      );
      const [start, used] = [performance.now(), processorSeconds()];
      await inParallel(bodies, 8, (body) => ask({ port: server.port, key, agent }, body));
      const seconds = (performance.now() - start) / 1000;
      const count = perRequest * requests;
      emit({ name, value: count / seconds, unit: 'predictions/s', goal });
      const processor = ((processorSeconds() - used) * 1e6) / count;
      emit({ name: `${name}: processor time of both sides`, value: processor, unit: 'us' });
    }
    agent.destroy();
    await server.close();
  },
};

interface Laid {
  readonly schema: DataSchema;
  readonly file: string;
  readonly keySha256: string;
  readonly rng: Rng;
}

function layOut(
  directory: string,
  { schema, file, keySha256, rng }: Laid,
): { model: string; config: string } {
  const spec = ModelSpec.parse({ inputShape: [177], output: { type: 'sigmoid' } });
  const model = join(directory, 'model.safetensors');
  writeFileSync(model, encodedModel(initialParameters(spec, rng), spec, layoutOf(spec)));
  const header = columnsOf(schema);
  const rows = Array.from({ length: 1100 }, (_, user) => {
    const record = madeUpRecord(schema, rng);
    const others = { patient_nbr: String(user), readmitted: 'NO', discharge_disposition_id: '1' };
    return header.map((column) => ({ ...record, ...others })[column] ?? '');
  });
  writeFileSync(join(directory, 'reference.csv'), formatCsv({ header, rows }));
  const config = join(directory, 'serve.yaml');
  const warn = { repeats: ['warn'], copies: ['warn'], subpopulation: ['warn'], calibration: ['warn'] };
  const values = {
    ...{ schema: file, directory: 'state', listen: { port: 0 } },
    callers: [{ id: 'bench', keySha256 }],
    budget: { total: 'none', perDay: 'none' },
    monitor: { reference: 'reference.csv', policy: warn },
  };
  writeFileSync(config, JSON.stringify(values));
  return { model, config };
}

function madeUpRecord({ features }: DataSchema, rng: Rng): Record<string, string> {
  return Object.fromEntries(features.map((feature) => [feature.column, madeUpCell(feature, rng)]));
}

function madeUpCell(feature: FeatureSchema, rng: Rng): string {
  if (feature.type === 'numeric')
    return String(feature.min + uniformBelow(rng, Math.floor(feature.max - feature.min) + 1));
  if (feature.type !== 'categorical') throw new TypeError(`no made-up ${feature.type}`);
  return textOf(feature.vocabulary[uniformBelow(rng, feature.vocabulary.length)] ?? '');
}

function textOf(category: Category): string {
  if (typeof category !== 'object') return String(category);
  const [{ from, below } = {}] = category.ranges;
  return String(category.values[0] ?? category.prefixes[0] ?? from ?? below ?? '');
}

async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}

function ask(to: { port: number; key: string; agent: Agent }, body: string): Promise<void> {
  const { port, key, agent } = to;
  const headers = { authorization: `Bearer ${key}`, 'content-length': Buffer.byteLength(body) };
  return new Promise((done, reject) => {
    const options = { host: '127.0.0.1', port, path: '/v1/predictions', method: 'POST', agent, headers };
    const asking = request(options, (response) => {
      if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode ?? 'nothing'}`));
      response.resume().on('end', done);
    });
    asking.on('error', reject).end(body);
  });
}
