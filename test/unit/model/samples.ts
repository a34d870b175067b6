import fc from 'fast-check';
import type { Shard } from '../../../shared/data/shard.ts';
import { Defence } from '../../../shared/model/defence.ts';
import { initialParameters } from '../../../shared/model/initial.ts';
import { numFeatures } from '../../../shared/model/layout.ts';
import { LocalPlan, type LocalTask } from '../../../shared/model/local-trainer.ts';
import { ModelSpec, numClasses } from '../../../shared/model/spec.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

/** Users with the given record counts, features uniform on [-1, 1] (a third of them zero) or tokens, random labels. */
export function randomShard(spec: ModelSpec, recordCounts: readonly number[], rng: Rng): Shard {
  const first = spec.layers.at(0);
  const userOffsets = [0];
  for (const count of recordCounts) userOffsets.push(userOffsets.at(-1)! + count);
  const numRecords = userOffsets.at(-1)!;
  const feature = (): number => {
    if (first?.type === 'embedding') return rng.uint32() % first.vocabularySize;
    return rng.uniform() < 1 / 3 ? 0 : 2 * rng.uniform() - 1;
  };
  return {
    numFeatures: numFeatures(spec),
    numClasses: numClasses(spec),
    features: Float32Array.from({ length: numRecords * numFeatures(spec) }, feature),
    labels: Int32Array.from({ length: numRecords }, () => rng.uint32() % numClasses(spec)),
    userOffsets: Int32Array.from(userOffsets),
    userIds: recordCounts.map((_, user) => `user-${user}`),
    subpopulations: [],
  };
}

/** A task on random users from slightly disturbed initial parameters, so that biases and gammas are not special. */
export function randomTask(
  spec: ModelSpec,
  recordCounts: readonly number[],
  plan: Partial<LocalPlan>,
  task: Partial<LocalTask> = {},
): LocalTask {
  const rng = seededRng(Seed.parse(20260723));
  const parameters = initialParameters(spec, rng.fork('parameters')).map(
    (value) => value + 0.2 * (rng.uniform() - 0.5),
  );
  return {
    parameters,
    shard: randomShard(spec, recordCounts, rng.fork('shard')),
    users: Int32Array.from(recordCounts.keys()),
    plan: LocalPlan.parse({ epochs: 3, batchSize: 'all', learningRate: 0.3, ...plan }),
    round: 0,
    clipNorm: 'unbounded',
    rng: rng.fork('task'),
    ...task,
  };
}

/** Ragged record counts. */
export const ragged = [1, 4, 2, 6];

/** Stacks with every activation and both outputs. */
export const denseSpecs: readonly (readonly [string, ModelSpec])[] = [
  ['logistic', ModelSpec.parse({ inputShape: [7], output: { type: 'sigmoid' } })],
  ['softmax regression', ModelSpec.parse({ inputShape: [5], output: { type: 'softmax', classes: 4 } })],
  ...(['linear', 'relu', 'tanh', 'sigmoid'] as const).flatMap((activation) => [
    [
      `${activation}, sigmoid output`,
      ModelSpec.parse({
        inputShape: [6],
        layers: [{ type: 'dense', units: 5, activation }],
        output: { type: 'sigmoid' },
      }),
    ] as const,
    [
      `${activation} twice, softmax output`,
      ModelSpec.parse({
        inputShape: [3, 2],
        layers: [
          { type: 'flatten' },
          { type: 'dense', units: 9, activation },
          { type: 'dense', units: 4, activation: 'tanh' },
        ],
        output: { type: 'softmax', classes: 3 },
      }),
    ] as const,
  ]),
];

/** Models that only the general provider trains. */
export const generalSpecs: readonly (readonly [string, ModelSpec])[] = [
  [
    'convolution and pooling',
    ModelSpec.parse({
      inputShape: [6, 7, 2],
      layers: [
        { type: 'conv2d', filters: 3, kernelSize: 3, padding: 'same', activation: 'tanh' },
        { type: 'averagePooling2d', poolSize: 2 },
        { type: 'conv2d', filters: 2, kernelSize: 2, strides: 1, activation: 'sigmoid' },
        { type: 'maxPooling2d', poolSize: 2, strides: 1 },
        { type: 'flatten' },
      ],
      output: { type: 'softmax', classes: 3 },
    }),
  ],
  [
    'embedding and gru',
    ModelSpec.parse({
      inputShape: [5],
      layers: [
        { type: 'embedding', vocabularySize: 11, units: 4 },
        { type: 'gru', units: 3 },
      ],
      output: { type: 'sigmoid' },
    }),
  ],
  [
    'gru and layer normalization',
    ModelSpec.parse({
      inputShape: [4, 3],
      layers: [
        { type: 'gru', units: 5 },
        { type: 'layerNormalization' },
        { type: 'dense', units: 3, activation: 'tanh' },
      ],
      output: { type: 'softmax', classes: 2 },
    }),
  ],
];

/** What every provider can do: no defence, RelaxLoss in every form (alphas on both sides of the usual losses), soft targets. */
export const defences: readonly (readonly [string, Defence])[] = [
  ['none', Defence.parse({ type: 'none' })],
  ...(['cifar', 'tabular'] as const).flatMap((variant) =>
    [true, false].flatMap((detachTargets) =>
      [0.31, 2.7].map(
        (alpha) =>
          [
            `relaxloss ${variant}${detachTargets ? ', detached' : ''}, alpha ${alpha}`,
            Defence.parse({
              type: 'relaxloss',
              variant,
              detachTargets,
              alpha,
              upper: 0.4,
              parity: alpha < 1 ? 'round' : 'epoch',
            }),
          ] as const,
      ),
    ),
  ),
  ...[
    { type: 'label-smoothing', smoothing: 0.3 },
    { type: 'confidence-penalty', entropyWeight: 0.7 },
    { type: 'hamp', entropyShare: 0.6, entropyWeight: 0.2 },
    { type: 'combined', defences: [{ type: 'label-smoothing' }, { type: 'confidence-penalty' }] },
  ].map((defence) => [JSON.stringify(defence), Defence.parse(defence)] as const),
];

/** Defences that change records or activations by chance, alone and combined. */
export const randomDefences: readonly Defence[] = [
  { type: 'dropout', rate: 0.4 },
  { type: 'mixup', concentration: 0.6 },
  { type: 'input-noise', stdDev: 0.3 },
  { type: 'representation-noise', stdDev: 0.4 },
  {
    type: 'combined',
    defences: [
      { type: 'relaxloss', alpha: 0.9 },
      { type: 'dropout', rate: 0.3 },
    ],
  },
  {
    type: 'combined',
    defences: [
      { type: 'mixup' },
      { type: 'hamp' },
      { type: 'input-noise', stdDev: 0.1 },
      { type: 'representation-noise', stdDev: 0.2 },
      { type: 'dropout', rate: 0.2 },
    ],
  },
].map((defence) => Defence.parse(defence));

/** Any small stack of dense layers. */
export const anyDenseSpec: fc.Arbitrary<ModelSpec> = fc
  .record({
    inputs: fc.integer({ min: 1, max: 9 }),
    layers: fc.array(
      fc.record({
        type: fc.constant('dense' as const),
        units: fc.integer({ min: 1, max: 7 }),
        activation: fc.constantFrom('linear', 'relu', 'tanh', 'sigmoid'),
      }),
      { maxLength: 3 },
    ),
    classes: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ inputs, layers, classes }) =>
    ModelSpec.parse({
      inputShape: [inputs],
      layers,
      output: classes === 1 ? { type: 'sigmoid' } : { type: 'softmax', classes },
    }),
  );

/** L2 norm of a - b. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Math.sqrt(
    Array.from(a, (value, i) => (value - b[i]!) ** 2).reduce((sum, square) => sum + square, 0),
  );
}

/** L2 norm. */
export function norm(a: ArrayLike<number>): number {
  return Math.sqrt(Array.from(a, (value) => value ** 2).reduce((sum, square) => sum + square, 0));
}
