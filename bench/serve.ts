import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCallerKey } from '../coordinator/serve/caller-key.ts';
import { launchServe } from '../coordinator/serve/launch-serve.ts';
import { formatCsv } from '../shared/data/csv.ts';
import { columnsOf } from '../shared/data/schema.ts';
import { initialParameters } from '../shared/model/initial.ts';
import { layoutOf } from '../shared/model/layout.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { encodedModel } from '../shared/protocol/payloads.ts';
import { type Rng, seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';
import { madeUpRecord, realSchema, schemaFile } from './made-up-records.ts';
import { processorSeconds } from './measure.ts';
import type { Part, Setting } from './part.ts';
import { runScript } from './run-script.ts';

/** `parley serve` with the model and the schema of diabetes130, everything switched on. */
export const serve: Part = {
  name: 'serve',
  about: 'predictions of the diabetes130 model over HTTP: hardened, watched and logged',
  how: 'The server here, callers over eight connections in another process on the second core; made-up records by the real schema, never one twice; every request is logged before it is answered.',
  run: async (setting) => {
    const rng = seededRng(Seed.parse(5));
    const { key, keySha256 } = createCallerKey(rng);
    const { model, config } = layOut(setting.directory, keySha256, rng);
    const server = await launchServe(model, config, {
      rng,
      now: () => Math.floor(performance.now()),
      note: () => undefined,
    });
    const to = { port: server.port, key };
    await answered(setting, to, { records: 1, requests: setting.quick ? 4 : 5000 });
    await answered(setting, to, { records: 100, requests: setting.quick ? 1 : 200 });
    await server.close();
  },
};

interface Asked {
  /** In each request. */
  readonly records: number;
  readonly requests: number;
}

async function answered(
  { emit }: Setting,
  { port, key }: { readonly port: number; readonly key: string },
  { records, requests }: Asked,
): Promise<void> {
  const used = processorSeconds();
  const seconds = await runScript('asker.ts', [`${port}`, key, `${requests}`, `${records}`]);
  const processor = ((processorSeconds() - used) * 1e6) / (records * requests);
  const name = `${records === 1 ? 'one record' : `${records} records`} a request, 8 connections`;
  const value = (records * requests) / Number(seconds);
  emit({ name, value, unit: 'predictions/s', goal: { atLeast: 1000 } });
  emit({ name: `${name}: processor time of the server`, value: processor, unit: 'us' });
}

function layOut(directory: string, keySha256: string, rng: Rng): { model: string; config: string } {
  const schema = realSchema();
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
    ...{ schema: schemaFile, directory: 'state', listen: { port: 0 } },
    callers: [{ id: 'bench', keySha256 }],
    budget: { total: 'none', perDay: 'none' },
    monitor: { reference: 'reference.csv', policy: warn },
  };
  writeFileSync(config, JSON.stringify(values));
  return { model, config };
}
