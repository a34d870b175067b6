import { beforeAll, describe, expect, test } from 'vitest';
import { type Backend, loadBackend } from '../../../../shared/model/backend.ts';
import { layoutOf } from '../../../../shared/model/layout.ts';
import { LocalPlan } from '../../../../shared/model/local-trainer.ts';
import { siloMisfit } from '../../../../shared/model/silo/combine.ts';
import { denseEngine } from '../../../../shared/model/silo/dense-engine.ts';
import type { SiloEngine, Slope } from '../../../../shared/model/silo/engine.ts';
import { generalEngine } from '../../../../shared/model/silo/general-engine.ts';
import type { SiloDefence } from '../../../../shared/model/silo/silo-defence.ts';
import type { SiloTask, SiloTrainer } from '../../../../shared/model/silo/silo-trainer.ts';
import { siloTrainer } from '../../../../shared/model/silo/train-site.ts';
import type { ModelSpec } from '../../../../shared/model/spec.ts';
import { denseSpecs, distance, generalSpecs, norm, randomTask } from '../samples.ts';

let cpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  cpu = await loadBackend('cpu');
  wasm = await loadBackend('wasm');
});

/** Not the slope of anything, and different for every record. */
const anySlope: Slope = (logits, out) => {
  logits.forEach((value, i) => (out[i] = Math.sin(3 * value + i)));
  return 0;
};

function expectSame(spec: ModelSpec, engine: SiloEngine, wanted: SiloEngine): void {
  const { parameters, shard } = randomTask(spec, [3, 4, 2], {});
  const { features } = shard;
  const logits = wanted.logits({ parameters, features });
  expect(distance(engine.logits({ parameters, features }), logits)).toBeLessThan(1e-5 * norm(logits));
  for (const clipNorm of [undefined, 0.3, 1e9])
    for (const byRepresentations of [undefined, anySlope]) {
      const [got, want] = [new Float64Array(parameters.length), new Float64Array(parameters.length)];
      const options = { clipNorm, byRepresentations };
      engine.derivative({ parameters, features }, anySlope, got, options);
      wanted.derivative({ parameters, features }, anySlope, want, options);
      expect(distance(got, want)).toBeLessThan(2e-5 * norm(want));
      // Nine records of norm 0.3 each at most.
      if (clipNorm === 0.3) expect(norm(got)).toBeLessThanOrEqual(9 * clipNorm * (1 + 1e-6));
    }
  expectParts(spec, engine);
}

const noSlope: Slope = () => 0;

/** Both parts of an objective add up, and the one of representations is none of the output layer's. */
function expectParts(spec: ModelSpec, engine: SiloEngine): void {
  const { parameters, shard } = randomTask(spec, [3, 4, 2], {});
  const { features } = shard;
  const derivative = (byLogits: Slope, byRepresentations?: Slope): Float64Array => {
    const out = new Float64Array(parameters.length);
    engine.derivative({ parameters, features }, byLogits, out, { byRepresentations });
    return out;
  };
  const deep = derivative(noSlope, anySlope);
  const output = layoutOf(spec).find(({ name }) => name === 'output.kernel')!.offset;
  expect(norm(deep.subarray(output))).toBe(0);
  if (output > 0) expect(norm(deep)).toBeGreaterThan(0.01);
  const apart = derivative(anySlope).map((value, i) => value + deep[i]!);
  const together = derivative(anySlope, anySlope);
  expect(distance(together, apart)).toBeLessThan(2e-5 * norm(apart));
}

test.each(denseSpecs)(
  '%s: plain loops and tfjs agree on logits and derivatives, clipped or not',
  (_, spec) => {
    for (const backend of [cpu, wasm]) expectSame(spec, denseEngine(spec), generalEngine(spec, backend));
  },
);

test.each(generalSpecs)('%s: wasm and cpu agree', (_, spec) => {
  expectSame(spec, generalEngine(spec, wasm), generalEngine(spec, cpu));
});

const defences: readonly SiloDefence[] = [
  { type: 'pooled' },
  { type: 'mist', groups: 3, weight: 0.8, pullEpochs: 1 },
  { type: 'selena', submodels: 4, nonMemberOf: 1 },
  { type: 'distillation', temperature: 2, keep: 0.7 },
  { type: 'adversarial', weight: 0.5, units: 6, attackSteps: 2, attackLearningRate: 0.3 },
  { type: 'alignment', weight: 0.8, bandwidth: 0.4 },
  { type: 'representation-alignment', weight: 1.5, bandwidth: 'median' },
  { type: 'representation-alignment', weight: 1.5, bandwidth: 0.7 },
  {
    ...{ type: 'record-dp-sgd', clipNorm: 0.5, noiseMultiplier: 0.8, samplingRate: 0.6, steps: 4 },
    ...{ recordsPerStep: 6, delta: 1e-5 },
  },
];

/** Minibatches, L2 and a loss of one user's training that combines with it. */
function taskOf(spec: ModelSpec, silo: SiloDefence): SiloTask {
  const users = [3, 5, 1, 4, 2, 6, 3];
  const task = randomTask(spec, users, {});
  const defence = { type: 'label-smoothing', smoothing: 0.1 };
  const plan = LocalPlan.parse({ epochs: 2, batchSize: 4, learningRate: 0.2, l2: 0.01, defence, silo });
  return {
    ...task,
    users: Int32Array.of(0, 1, 3, 4, 5),
    reference: Int32Array.of(2, 6),
    plan: { ...plan, silo },
  };
}

/** Of a model with nothing to train below its output layer. */
async function expectMisfit(task: SiloTask, trainers: readonly SiloTrainer[]): Promise<void> {
  for (const trainer of trainers)
    await expect(trainer.train(task)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('add a layer with weights') as unknown,
    });
}

async function expectSameTraining(
  spec: ModelSpec,
  trainers: readonly SiloTrainer[],
  which = defences,
): Promise<void> {
  for (const silo of which) {
    const task = taskOf(spec, silo);
    if (siloMisfit(silo, spec) !== undefined) {
      await expectMisfit(task, trainers);
      continue;
    }
    const [first, ...others] = await Promise.all(trainers.map((trainer) => trainer.train(task)));
    const moved = distance(first!.parameters, task.parameters);
    expect(moved, silo.type).toBeGreaterThan(1e-3);
    for (const { parameters } of others)
      expect(distance(parameters, first!.parameters), silo.type).toBeLessThan(2e-4 * moved);
  }
}

describe('a whole round in minibatches is the same on every provider', () => {
  // Smooth models: where a derivative jumps, rounding decides which side is taken.
  test.each(denseSpecs.filter(([name]) => !name.includes('relu')))('%s', async (_, spec) => {
    const trainers = [
      await siloTrainer(spec, { provider: 'auto', backend: 'auto' }),
      await siloTrainer(spec, { provider: 'general', backend: 'wasm' }),
    ];
    expect(trainers.map(({ provider }) => provider)).toEqual(['dense', 'general']);
    await expectSameTraining(spec, trainers);
  });

  test.each(generalSpecs.slice(1, 2))('%s', async (_, spec) => {
    const trainers = [
      await siloTrainer(spec, { provider: 'auto', backend: 'wasm' }),
      await siloTrainer(spec, { provider: 'general', backend: 'cpu' }),
    ];
    expect(trainers[0]?.description).toContain('layer 0 (embedding) is not dense');
    // Those that take records one by one, compare models or look below the output; tfjs takes its time with the others.
    await expectSameTraining(
      spec,
      trainers,
      defences.filter(({ type }) => /mist|record|representation/.test(type)),
    );
    await expect(siloTrainer(spec, { provider: 'dense', backend: 'auto' })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    });
  });
});
