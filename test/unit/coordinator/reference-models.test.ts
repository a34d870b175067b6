import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { initialParameters } from '../../../shared/model/initial.ts';
import { layoutOf } from '../../../shared/model/layout.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { encodedModel } from '../../../shared/protocol/payloads.ts';
import { decodeTensors } from '../../../shared/protocol/safetensors.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { auc } from '../../../shared/stats/roc.ts';
import { Seed } from '../../../shared/units.ts';
import { aFederationConfig, runTiny, siteFiles } from '../../support/a-run.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const spec = ModelSpec.parse({
  inputShape: [2],
  layers: [{ type: 'dense', units: 3, activation: 'tanh' }],
  output: { type: 'sigmoid' },
});
const referenceModel = (inputs: number): Uint8Array => {
  const other = ModelSpec.parse({ inputShape: [inputs], output: { type: 'sigmoid' } });
  return encodedModel(initialParameters(other, seededRng(Seed.parse(3))), other, layoutOf(other));
};
const federation = aFederationConfig({
  model: spec,
  rounds: 3,
  audit: { referenceModels: ['public.safetensors'] },
});

test('a run with reference models, embeddings and fresh records measures them all, stopped or not', async () => {
  const folder = temporaryFolder();
  const client = { audit: { fraction: 0.8, referenceFraction: 0.3, freshFraction: 0.5 } };
  const sites = ['east', 'west'].map((name) => siteFiles(folder, name, { client, users: 60 }));
  const referenceModels = [referenceModel(2)];
  const directory = join(folder, 'run');
  const abort = new AbortController();
  const stopped = runTiny({
    ...{ directory, sites, federation, referenceModels, abort },
    onReport: () => {
      abort.abort();
    },
  });
  await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
  // The file may change in between: the run goes on with what it stored.
  const { reports } = await runTiny({ directory, sites, federation, referenceModels: [referenceModel(3)] });
  const last = reports.at(-1)!.audit;
  const named = last.attacks.map(({ attack }) => attack);
  expect(named).toContain('mean-reference-ratio');
  expect(named).toContain('fresh-mean-log-ratio');
  // Half of two records is one: no user has two fresh ones to compare.
  expect(last.notMeasured).toContainEqual({
    attack: 'embedding-pair',
    reason: 'no audit user has two distinct records to compare',
  });
  const { tensors } = decodeTensors(
    new Uint8Array(readFileSync(join(directory, 'scores', 'newest.safetensors'))),
  );
  const roles = tensors.get('role')!.data;
  const scores = tensors.get('mean-reference-ratio')!.data as Float64Array;
  const withRole = (role: number): Float64Array => scores.filter((_, user) => roles[user] === role);
  const again = auc(withRole(0), withRole(1));
  expect(again).toBe(last.attacks.find(({ attack }) => attack === 'mean-reference-ratio')?.auc);
});

test('a reference model for other features is refused before the run begins', async () => {
  const folder = temporaryFolder();
  const sites = ['east', 'west'].map((name) => siteFiles(folder, name));
  const run = runTiny({
    directory: join(folder, 'run'),
    sites,
    federation,
    referenceModels: [referenceModel(3)],
  });
  await expect(run).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
