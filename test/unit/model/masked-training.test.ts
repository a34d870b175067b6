import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Backend, loadBackend } from '../../../shared/model/backend.ts';
import { denseTrainer } from '../../../shared/model/dense/dense-trainer.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import { layoutOf, numParams } from '../../../shared/model/layout.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import { keptOf, keptSizes, maskOf, type ParameterMask, pruned, spread } from '../../../shared/model/mask.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { plainTrainer } from '../../support/plain-dense/plain-trainer.ts';
import {
  anyDenseSpec,
  denseSpecs,
  distance,
  generalSpecs,
  norm,
  ragged,
  randomDefences,
  randomTask,
} from './samples.ts';

let cpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  cpu = await loadBackend('cpu');
  wasm = await loadBackend('wasm');
});

const Vectors = z.object({
  cases: z.array(
    z.object({
      name: z.string(),
      units: z.array(z.number()),
      numFeatures: z.number(),
      flags: z.array(z.number()),
      parameters: z.array(z.number()),
      features: z.array(z.number()),
      labels: z.array(z.number()),
      steps: z.number(),
      learningRate: z.number(),
      l2: z.number(),
      update: z.array(z.number()),
    }),
  ),
});
const file = new URL('../../vectors/masked-training.json', import.meta.url);
const { cases } = Vectors.parse(JSON.parse(readFileSync(file, 'utf8')));

function everyProvider(spec: ModelSpec): LocalTrainer[] {
  const forms = [() => true, () => false];
  return [
    plainTrainer(spec),
    generalTrainer({ spec, backend: cpu }),
    generalTrainer({ spec, backend: wasm }),
    denseTrainer(spec),
    ...forms.map((chooseForm) => denseTrainer(spec, { chooseForm })),
  ];
}

test.each(cases)('every provider trains $name as numpy does', async (own) => {
  const output = own.units.at(-1)!;
  const spec = ModelSpec.parse({
    inputShape: [own.numFeatures],
    layers: own.units.slice(0, -1).map((units) => ({ type: 'dense', units, activation: 'tanh' })),
    output: output === 1 ? { type: 'sigmoid' } : { type: 'softmax', classes: output },
  });
  const plan = { epochs: own.steps, learningRate: own.learningRate, l2: own.l2 };
  const task = randomTask(spec, [own.labels.length], plan);
  const shard = {
    ...task.shard,
    features: Float32Array.from(own.features),
    labels: Int32Array.from(own.labels),
  };
  const parameters = Float32Array.from(own.parameters);
  const mask = maskOf(Uint8Array.from(own.flags));
  for (const trainer of everyProvider(spec)) {
    const { sum } = await trainer.clippedSum({ ...task, shard, parameters, mask });
    expect(distance(sum, own.update)).toBeLessThan(3e-6 * (1 + norm(own.update)));
    expect(norm(keptOf(sum, inverse(mask)))).toBe(0);
  }
});

function inverse({ flags }: ParameterMask): ParameterMask {
  return maskOf(flags.map((flag) => 1 - flag));
}

/** Keeps a share of the parameters at random; whole blocks are kept or pruned too. */
function randomMask(spec: ModelSpec, share: number): ParameterMask {
  const rng = seededRng(Seed.parse(3)).fork('mask');
  const flags = new Uint8Array(numParams(spec));
  for (const { offset, size } of layoutOf(spec)) {
    const own = [share, 1, 0][rng.uint32() % 3]!;
    for (let i = offset; i < offset + size; i++) flags[i] = rng.uniform() < own ? 1 : 0;
  }
  flags[0] = 1;
  return maskOf(flags);
}

async function expectAgreement(task: LocalTask, got: readonly LocalTrainer[], want: LocalTrainer) {
  const bounded = { ...task, clipNorm: 0.37 };
  const wanted = await want.clippedSum(bounded);
  const float = 3e-7 * norm(task.parameters);
  for (const trainer of got) {
    const actual = await trainer.clippedSum(bounded);
    expect(distance(actual.sum, wanted.sum)).toBeLessThanOrEqual(1e-4 * norm(wanted.sum) + float);
    for (const [index, value] of actual.norms.entries())
      expect(Math.abs(value - wanted.norms[index]!)).toBeLessThanOrEqual(1e-4 * value + float);
    for (const [i, flag] of task.mask!.flags.entries()) if (flag === 0) expect(actual.sum[i]).toBe(0);
  }
}

const plans: readonly Partial<LocalPlan>[] = [
  { epochs: 1 },
  { epochs: 2, batchSize: 2, l2: 0.03 },
  { epochs: 2, defence: { type: 'hamp', entropyShare: 0.6, entropyWeight: 0.2 } },
  ...randomDefences.map((defence) => ({ epochs: 2, batchSize: 3, defence })),
];

describe.each(denseSpecs)('%s', (_, spec) => {
  test.each(plans)('all providers agree under a mask: %j', async (plan) => {
    const task = { ...randomTask(spec, ragged, plan), mask: randomMask(spec, 0.5) };
    await expectAgreement(task, everyProvider(spec), generalTrainer({ spec, backend: cpu }));
  });
});

test.each(generalSpecs)('%s: wasm agrees with cpu under a mask', async (_, spec) => {
  const task = {
    ...randomTask(spec, ragged, { batchSize: 3, l2: 0.03, epochs: 2 }),
    mask: randomMask(spec, 0.5),
  };
  await expectAgreement(
    task,
    [generalTrainer({ spec, backend: wasm })],
    generalTrainer({ spec, backend: cpu }),
  );
});

test('a mask that keeps all changes nothing, whatever the stack', async () => {
  const property = fc.asyncProperty(anyDenseSpec, async (spec) => {
    const task = { ...randomTask(spec, ragged, { epochs: 2, l2: 0.1 }), clipNorm: 0.5 };
    const mask = maskOf(new Uint8Array(task.parameters.length).fill(1));
    const plain = await denseTrainer(spec).clippedSum(task);
    expect(await denseTrainer(spec).clippedSum({ ...task, mask })).toEqual(plain);
  });
  await fc.assert(property, { numRuns: 20, seed: 1 });
});

test('threads change no bit of training under a mask', async () => {
  const [, spec] = denseSpecs[3]!;
  const counts = Array.from({ length: 40 }, (_, user) => 1 + (user % 7));
  const task = { ...randomTask(spec, counts, { epochs: 2 }), mask: randomMask(spec, 0.5), clipNorm: 0.5 };
  const options = { groupBytes: 2000 };
  const inline = await denseTrainer(spec, { ...options, workers: 1 }).clippedSum(task);
  expect(await denseTrainer(spec, { ...options, workers: 2 }).clippedSum(task)).toEqual(inline);
});

describe('a mask', () => {
  const masks = fc
    .array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 80 })
    .filter((flags) => flags.includes(1))
    .map((flags) => maskOf(Uint8Array.from(flags)));

  test('cuts out and puts back what it keeps', () => {
    fc.assert(
      fc.property(masks, (mask) => {
        const values = Float64Array.from(mask.flags, (_, i) => i + 1);
        const kept = keptOf(values, mask);
        expect(kept).toHaveLength(mask.kept);
        expect(spread(kept, mask)).toEqual(pruned(values, mask));
      }),
    );
  });

  test('of another length than the model, or that keeps nothing, is refused', async () => {
    const [, spec] = denseSpecs[0]!;
    const task = { ...randomTask(spec, [2], {}), mask: maskOf(Uint8Array.of(1, 0)) };
    for (const trainer of everyProvider(spec))
      await expect(Promise.resolve(task).then((own) => trainer.clippedSum(own))).rejects.toMatchObject({
        code: 'WRONG_SHAPE',
      });
    expect(() => maskOf(new Uint8Array(9))).toThrow('keeps none');
  });

  test('counts what it keeps of each weight', () => {
    const spec = ModelSpec.parse({
      inputShape: [2],
      layers: [{ type: 'dense', units: 2 }],
      output: { type: 'sigmoid' },
    });
    const mask = maskOf(Uint8Array.of(1, 0, 1, 0, 0, 0, 1, 1, 0));
    expect(keptSizes(layoutOf(spec), mask)).toEqual([2, 0, 2, 0]);
    expect(keptSizes(layoutOf(spec), undefined)).toEqual([4, 2, 2, 1]);
  });
});
