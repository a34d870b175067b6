import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import { createCallerKey } from '../../coordinator/serve/caller-key.ts';
import { launchServe } from '../../coordinator/serve/launch-serve.ts';
import { hospitals } from '../../scenarios/data/hospitals.ts';
import { cohortCsv, syntheticCohort } from '../../scenarios/data/synthetic-cohort.ts';
import { type NamedUser, namedUsers } from '../../shared/data/named-records.ts';
import { dataSchemaOf } from '../../shared/data/schema.ts';
import { initialParameters } from '../../shared/model/initial.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { ModelSpec } from '../../shared/model/spec.ts';
import { encodedModel } from '../../shared/protocol/payloads.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';

const rng = seededRng(Seed.parse(21));
const schemaFile = resolve('scenarios/catalog/schemas/hospital-cohort-medications.yaml');
const schema = dataSchemaOf(readFileSync(schemaFile, 'utf8'), schemaFile);

/** A model of the synthetic cohort whose answers are anything but flat. */
export const servedSpec = ModelSpec.parse({
  inputShape: [26],
  layers: [{ type: 'dense', units: 16, activation: 'relu' }],
  output: { type: 'softmax', classes: 5 },
});
export const servedParameters = initialParameters(servedSpec, rng).map((value) => 3 * value);

const [here, elsewhere] = syntheticCohort({
  rng: rng.fork('cohort'),
  sites: hospitals(2),
  usersPerSite: 1100,
});

/** Patients to ask about; the reference table is of another hospital's. */
export const patients: readonly NamedUser[] = namedUsers(schema, here!.table);

/** The key of every caller in the tests' configurations. */
export const callerKey = createCallerKey(rng.fork('key'));

/** A time of the servers' clock: 2026-01-01, noon UTC. */
export const noon = Date.UTC(2026, 0, 1, 12);

/** Lay out model, reference and configuration in a folder; `change` replaces keys of the latter. */
export function servedFiles(
  folder: string,
  change: Record<string, unknown> = {},
): { model: string; config: string } {
  const model = join(folder, 'model.safetensors');
  writeFileSync(model, encodedModel(servedParameters, servedSpec, layoutOf(servedSpec)));
  writeFileSync(join(folder, 'reference.csv'), cohortCsv(elsewhere!));
  const config = join(folder, 'serve.yaml');
  const caller = { id: 'clinic', keySha256: callerKey.keySha256 };
  const values = {
    ...{ schema: schemaFile, directory: 'state', listen: { port: 0 }, callers: [caller] },
    ...{ monitor: { reference: 'reference.csv' }, ...change },
  };
  writeFileSync(config, JSON.stringify(values));
  return { model, config };
}

/** A server in this process on a loopback socket, ended with the test. */
export interface TestServer {
  readonly url: string;
  readonly notes: readonly string[];
  readonly ask: (records: readonly unknown[], key?: string) => Promise<Reply>;
  readonly close: () => Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly body: {
    readonly answers?: readonly {
      label?: number;
      probabilities?: number[];
      error?: Record<string, string>;
    }[];
    readonly standing?: string;
    readonly warnings?: readonly { detector: string }[];
    readonly budget?: { total: number | null; today: number | null };
    readonly error?: { code: string; message: string };
  };
}

/** Serve from laid-out files. */
export async function served(
  { model, config }: { model: string; config: string },
  now: () => number = () => noon,
): Promise<TestServer> {
  const notes: string[] = [];
  const server = await launchServe(model, config, {
    ...{ rng: rng.fork('secret'), now },
    note: (text) => notes.push(text),
  });
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await server.close();
    isOpen = false;
  };
  onTestFinished(close);
  const url = `http://127.0.0.1:${server.port}`;
  return { url, notes, close, ask: (records, key) => post(url, { records }, key) };
}

/** Send a body to a server. */
export async function post(url: string, body: unknown, key: string = callerKey.key): Promise<Reply> {
  const response = await fetch(`${url}/v1/predictions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, connection: 'close' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}
