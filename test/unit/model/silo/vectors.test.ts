import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../../../shared/model/backend.ts';
import { adversarialSlope } from '../../../../shared/model/silo/adversarial.ts';
import {
  alignmentSlope,
  representationAlignment,
  representationSlope,
} from '../../../../shared/model/silo/alignment.ts';
import {
  type AttackNetwork,
  attackNetwork,
  trainAttack,
} from '../../../../shared/model/silo/attack-network.ts';
import { denseEngine } from '../../../../shared/model/silo/dense-engine.ts';
import { distillation, mostCertain } from '../../../../shared/model/silo/distillation.ts';
import type { SiloEngine, Slope } from '../../../../shared/model/silo/engine.ts';
import { generalEngine } from '../../../../shared/model/silo/general-engine.ts';
import { answersOf, onLabels, student } from '../../../../shared/model/silo/labelled.ts';
import { mistOfGroups } from '../../../../shared/model/silo/mist.ts';
import { splitAnswers } from '../../../../shared/model/silo/selena.ts';
import { distillationSlope, labelSlope, pullSlope } from '../../../../shared/model/silo/slopes.ts';
import type { ModelSpec } from '../../../../shared/model/spec.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';
import { furthest, recordsOf, roundOf, vectors } from './rounds.ts';

function network({
  classes,
  units,
  network,
}: {
  classes: number;
  units: number;
  network: number[];
}): AttackNetwork {
  const empty = attackNetwork(classes, units, seededRng(Seed.parse(1)));
  expect(network).toHaveLength(empty.parameters.length);
  return { ...empty, parameters: Float32Array.from(network) };
}

function slopeOf(given: (typeof vectors)['objectives'][number]): Slope {
  const { kind, classes, labels, weight, others, targets, temperature } = given;
  if (kind === 'pull')
    return pullSlope(
      others.map((other) => Float32Array.from(other)),
      weight,
      classes,
    );
  if (kind === 'distillation') return distillationSlope(Float32Array.from(targets), classes, temperature);
  const round = { numClasses: classes, objective: { type: 'cross-entropy' } } as const;
  return adversarialSlope(round, Int32Array.from(labels), { network: network(given), weight });
}

test.each(vectors.objectives)(
  '$kind, $classes classes: value and derivative are those of autograd',
  (given) => {
    const out = new Float32Array(given.logits.length);
    const value = slopeOf(given)(Float32Array.from(given.logits), out);
    expect(Math.abs(value - given.loss)).toBeLessThan(2e-6 * Math.max(1, Math.abs(given.loss)));
    expect(furthest(out, given.gradient)).toBeLessThan(1e-6);
  },
);

test.each(vectors.alignments)(
  'alignment, $classes classes: value and derivative are those of autograd',
  ({ classes, labels, logits, loss, gradient, ...settings }) => {
    const round = { numClasses: classes, objective: { type: 'cross-entropy' } } as const;
    const out = new Float32Array(logits.length).fill(NaN);
    const slope = alignmentSlope(round, Int32Array.from(labels), settings);
    const value = slope(Float32Array.from(logits), out);
    expect(Math.abs(value - loss)).toBeLessThan(2e-6 * Math.max(1, Math.abs(loss)));
    expect(furthest(out, gradient)).toBeLessThan(1e-6);
  },
);

test.each(vectors.discrepancies)(
  'alignment of $width representations, bandwidth $bandwidth: value and derivative are those of autograd',
  ({ width, rows, loss, gradient, ...settings }) => {
    const out = new Float32Array(rows.length).fill(NaN);
    const value = representationSlope(rows.length / width, settings)(Float32Array.from(rows), out);
    expect(Math.abs(value - loss)).toBeLessThan(2e-6 * Math.max(1, loss));
    expect(furthest(out, gradient)).toBeLessThan(1e-6);
  },
);

test.each(vectors.attacks)(
  'a step of the attack network with $classes classes is that of autograd',
  (given) => {
    const asked = ({ answers, labels }: { answers: number[]; labels: number[] }) => ({
      answers: Float32Array.from(answers),
      labels: Int32Array.from(labels),
    });
    const sides = { members: asked(given.members), others: asked(given.others) };
    const { parameters } = trainAttack(network(given), sides, given.learningRate);
    expect(furthest(parameters, given.moved)).toBeLessThan(1e-6);
  },
);

const engines: readonly (readonly [string, (spec: ModelSpec) => SiloEngine])[] = [
  ['dense', denseEngine],
  ['tfjs cpu', (spec) => generalEngine(spec, backends.cpu)],
  ['tfjs wasm', (spec) => generalEngine(spec, backends.wasm)],
];
const backends = {} as Record<'cpu' | 'wasm', Awaited<ReturnType<typeof loadBackend>>>;
beforeAll(async () => {
  backends.cpu = await loadBackend('cpu');
  backends.wasm = await loadBackend('wasm');
});

const cases = vectors.rounds.flatMap((given) =>
  engines.map(([name, engineOf]) => ({ name, output: given.spec.output.type, given, engineOf })),
);

/** float32 parameters over a few steps. */
const close = 3e-6;

const representationCases = vectors.representationRounds.flatMap((given) =>
  engines.map(([name, engineOf]) => {
    const { bandwidth, spec } = given;
    return { name, output: spec.output.type, bandwidth, given, engineOf };
  }),
);

test.each(representationCases)(
  'alignment of representations on $name, $output output, bandwidth $bandwidth: a whole round is that of autograd',
  async ({ given, engineOf }) => {
    const { spec, publicFeatures, weight, bandwidth, trained } = given;
    const round = roundOf(given, engineOf(spec));
    // One of each class, so that counterparts are not random.
    const labels = Array.from({ length: round.numClasses }, (_, label) => label);
    const reference = recordsOf({ features: publicFeatures, labels });
    const settings = { type: 'representation-alignment', weight, bandwidth } as const;
    const got = await representationAlignment(round, { records: recordsOf(given), reference }, settings);
    expect(furthest(got, trained)).toBeLessThan(close);
  },
);

describe.each(cases)('a whole round on $name, $output output, is that of autograd', ({ given, engineOf }) => {
  const all = Int32Array.from(given.labels.keys());

  test('pooled', async () => {
    const round = roundOf(given, engineOf(given.spec));
    const options = { start: round.received, rows: all, rng: round.rng };
    expect(furthest(await onLabels(round, recordsOf(given), options), given.pooled)).toBeLessThan(close);
  });

  test('MIST', async () => {
    const { rows, weight, pullEpochs, parameters } = given.mist;
    const groups = { rows: rows.map((own) => Int32Array.from(own)), weight, pullEpochs };
    const got = await mistOfGroups(roundOf(given, engineOf(given.spec)), recordsOf(given), groups);
    expect(furthest(got, parameters)).toBeLessThan(close);
  });

  test('SELENA', async () => {
    const round = roundOf(given, engineOf(given.spec));
    const { apart, submodels, targets: wanted, parameters } = given.selena;
    const split = { apart: apart.map((own) => Int32Array.from(own)), submodels };
    const { targets } = await splitAnswers(round, recordsOf(given), split);
    expect(furthest(targets, wanted)).toBeLessThan(close);
    const features = Float32Array.from(given.features);
    const lesson = { features, targets, temperature: 1, epochs: given.epochs };
    expect(furthest(await student(round, lesson), parameters)).toBeLessThan(close);
  });

  test('distillation', async () => {
    const round = roundOf(given, engineOf(given.spec));
    const { temperature, keep, kept, parameters } = given.distillation;
    // Public records have no labels, and none are read.
    const reference = recordsOf({ features: given.publicFeatures, labels: [-1, -1, -1, -1, -1] });
    const sides = { records: recordsOf(given), reference };
    const got = await distillation(round, sides, { type: 'distillation', temperature, keep });
    expect(furthest(got, parameters)).toBeLessThan(close);
    const teacher = await onLabels(round, sides.records, {
      start: round.received,
      rows: all,
      rng: round.rng,
    });
    const answers = await answersOf(round, teacher, { features: reference.features, temperature });
    expect([...mostCertain(answers, round.numClasses, keep)]).toEqual(kept);
  });

  test('clipped derivatives of single records', () => {
    const round = roundOf(given, engineOf(given.spec));
    const { clipNorm, norms, sum } = given.clipped;
    const out = new Float64Array(sum.length).fill(7);
    const mean = labelSlope(Int32Array.from(given.labels), round.numClasses, round.objective);
    const each: Slope = (logits, slopes) => {
      const value = mean(logits, slopes);
      slopes.forEach((slope, i) => (slopes[i] = slope * given.labels.length));
      return value;
    };
    const records = { parameters: round.received, features: Float32Array.from(given.features) };
    round.descent.engine.derivative(records, each, out, { clipNorm });
    expect(furthest(out, sum)).toBeLessThan(close);
    expect(norms.some((norm) => norm > clipNorm) && norms.some((norm) => norm < clipNorm)).toBe(true);
  });
});
