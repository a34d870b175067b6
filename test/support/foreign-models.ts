import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { loadShard, readDataSchema } from '../../client/index.ts';
import { hospitals } from '../../scenarios/data/hospitals.ts';
import { cohortCsv, syntheticCohort } from '../../scenarios/data/synthetic-cohort.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { encodeTensors } from '../../shared/protocol/safetensors.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-audit-model-'));
/** A file of the test's own folder. */
export const at = (name: string): string => join(folder, name);
export const schema = resolve('scenarios/catalog/schemas/hospital-cohort-medications.yaml');
const roles = ['members', 'held-out', 'reference', 'strangers'] as const;
/** The models' specification. */
export const spec = `inputShape: [26]
layers: [{type: dense, units: 64, activation: relu}]
output: {type: softmax, classes: 5}
`;

/** One hospital's patients, dealt out by a fair coin of two flips: who has which role says nothing about her. */
function writeTables(): void {
  const [hospital] = hospitals(1);
  const rng = seededRng(Seed.parse(5));
  const [site] = syntheticCohort({ rng, sites: [hospital!], usersPerSite: 480 });
  const [header, ...rows] = cohortCsv(site!).trim().split('\n');
  const roleOf = (row: string): string => roles[rng.fork(`role of ${row.split(',')[0]}`).bytes(1)[0]! % 4]!;
  for (const role of roles)
    writeFileSync(
      at(`${role}.csv`),
      `${[header, ...rows.filter((row) => roleOf(row) === role)].join('\n')}\n`,
    );
}

function aModel(units: number): tf.LayersModel {
  const dense = (own: number, activation: 'relu' | 'softmax', seed: number): tf.layers.Layer =>
    tf.layers.dense({
      ...{ units: own, activation, ...(seed === 1 && { inputShape: [26] }) },
      kernelInitializer: tf.initializers.glorotUniform({ seed }),
    });
  return tf.sequential({ layers: [dense(units, 'relu', 1), dense(5, 'softmax', 2)] });
}

/** Learns a table by heart. */
async function trainedOn(role: (typeof roles)[number]): Promise<tf.LayersModel> {
  const shard = await tableOf(role);
  const model = aModel(64);
  model.compile({ optimizer: tf.train.adam(0.02), loss: 'categoricalCrossentropy' });
  const labels = tf.oneHot(tf.tensor1d(shard.labels, 'int32'), 5);
  const features = tf.tensor2d(shard.features, [shard.labels.length, 26]);
  for (let epoch = 0; epoch < 120; epoch++) await model.trainOnBatch(features, labels);
  return model;
}

export async function tableOf(role: string): Promise<Shard> {
  return loadShard({ file: at(`${role}.csv`), schema: await readDataSchema(schema) });
}

/** As tfjs itself saves it: model.json and one file of weights. */
async function saveTfjs(model: tf.LayersModel, name: string): Promise<void> {
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
      writeFileSync(at(`${name}.bin`), new Uint8Array(weightData as ArrayBuffer));
      const weightsManifest = [{ paths: [`${name}.bin`], weights: weightSpecs }];
      const file = {
        format: 'layers-model',
        generatedBy: 'test',
        convertedBy: null,
        modelTopology,
        weightsManifest,
      };
      writeFileSync(at(`${name}.json`), JSON.stringify(file));
      return Promise.resolve({
        modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' as const },
      });
    }),
  );
}

const names = ['layers.0.kernel', 'layers.0.bias', 'output.kernel', 'output.bias'];

export function tensorsOf(model: tf.LayersModel): Parameters<typeof encodeTensors>[0] {
  return model.getWeights().map((weight, index) => {
    return {
      name: names[index]!,
      dtype: 'F32',
      shape: weight.shape,
      data: Float32Array.from(weight.dataSync()),
    };
  });
}

function saveSafetensors(model: tf.LayersModel, name: string): void {
  writeFileSync(at(`${name}.safetensors`), encodeTensors(tensorsOf(model)));
}

/** The options that tell who trained. */
export const known = ['--schema', schema, '--members', at('members.csv'), '--held-out', at('held-out.csv')];

/**
 * Writes the tables of users, and three models of theirs as safetensors and as tfjs files: `by-heart` learnt the members,
 * `strangers` others, `initial` nobody. Returns the first.
 */
export async function writeModels(): Promise<tf.LayersModel> {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  writeTables();
  const byHeart = await trainedOn('members');
  const models = { 'by-heart': byHeart, strangers: await trainedOn('strangers'), initial: aModel(64) };
  for (const [name, model] of Object.entries(models)) {
    await saveTfjs(model, name);
    saveSafetensors(model, name);
  }
  writeFileSync(at('spec.yaml'), spec);
  return byHeart;
}
