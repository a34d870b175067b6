import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { SiloEngine } from '../../../../shared/model/silo/engine.ts';
import type { SiloRound } from '../../../../shared/model/silo/labelled.ts';
import type { SiloRecords } from '../../../../shared/model/silo/records.ts';
import { ModelSpec, numClasses } from '../../../../shared/model/spec.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';

const numbers = z.array(z.number());
const Bandwidth = z.union([z.number(), z.literal('median')]);
const Questions = z.object({ answers: numbers, labels: numbers });

/** What a site starts from, and its steps. */
const Site = z.object({
  spec: ModelSpec,
  learningRate: z.number(),
  l2: z.number(),
  epochs: z.number(),
  parameters: numbers,
  features: numbers,
  labels: numbers,
  publicFeatures: numbers,
});

/** Written by autograd: test/vectors/make-silo.py. */
export const Vectors = z.object({
  objectives: z.array(
    z.object({
      kind: z.enum(['pull', 'distillation', 'adversarial']),
      classes: z.number(),
      logits: numbers,
      labels: numbers,
      weight: z.number().default(0),
      others: z.array(numbers).default([]),
      targets: numbers.default([]),
      temperature: z.number().default(1),
      units: z.number().default(0),
      network: numbers.default([]),
      loss: z.number(),
      gradient: numbers,
    }),
  ),
  attacks: z.array(
    z.object({
      classes: z.number(),
      units: z.number(),
      learningRate: z.number(),
      network: numbers,
      members: Questions,
      others: Questions,
      moved: numbers,
    }),
  ),
  alignments: z.array(
    z.object({
      classes: z.number(),
      logits: numbers,
      labels: numbers,
      weight: z.number(),
      bandwidth: z.number(),
      loss: z.number(),
      gradient: numbers,
    }),
  ),
  rounds: z.array(
    Site.extend({
      pooled: numbers,
      mist: z.object({
        rows: z.array(numbers),
        weight: z.number(),
        pullEpochs: z.number(),
        parameters: numbers,
      }),
      selena: z.object({
        apart: z.array(numbers),
        submodels: z.number(),
        targets: numbers,
        parameters: numbers,
      }),
      distillation: z.object({
        temperature: z.number(),
        keep: z.number(),
        kept: numbers,
        parameters: numbers,
      }),
      clipped: z.object({ clipNorm: z.number(), norms: numbers, sum: numbers }),
    }),
  ),
  discrepancies: z.array(
    z.object({
      width: z.number(),
      rows: numbers,
      weight: z.number(),
      bandwidth: Bandwidth,
      loss: z.number(),
      gradient: numbers,
    }),
  ),
  representationRounds: z.array(Site.extend({ weight: z.number(), bandwidth: Bandwidth, trained: numbers })),
});
export const vectors = Vectors.parse(JSON.parse(readFileSync('test/vectors/silo.json', 'utf8')));
/** A case's round at a site whose steps take all records, on cross-entropy. */
export function roundOf(given: z.infer<typeof Site>, engine: SiloEngine): SiloRound {
  const { spec, learningRate, l2, epochs, parameters } = given;
  return {
    descent: { engine, plan: { batchSize: 'all', learningRate, l2 }, pause: () => Promise.resolve() },
    received: Float32Array.from(parameters),
    epochs,
    numClasses: numClasses(spec),
    numFeatures: spec.inputShape[0]!,
    objective: { type: 'cross-entropy' },
    rng: seededRng(Seed.parse(1)),
  };
}

/** A case's records, one of each user. */
export function recordsOf({ features, labels }: { features: number[]; labels: number[] }): SiloRecords {
  return {
    features: Float32Array.from(features),
    labels: Int32Array.from(labels),
    users: Int32Array.from(labels.keys()),
    userIds: labels.map((_, user) => `user-${user}`),
  };
}

/** The largest difference of two vectors. */
export function furthest(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity;
  return Array.from(got, (value, i) => Math.abs(value - want[i]!)).reduce((a, b) => Math.max(a, b), 0);
}
