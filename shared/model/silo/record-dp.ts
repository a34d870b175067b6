import { standardNormals } from '../../random/gaussian.ts';
import { poissonSample } from '../../random/sample.ts';
import { SamplingRate } from '../../units.ts';
import { pickLabels, pickRows } from '../pick-rows.ts';
import { applyStep } from './descend.ts';
import type { Slope } from './engine.ts';
import type { SiloRound } from './labelled.ts';
import type { SiloRecords } from './records.ts';
import type { SiloDefence } from './silo-defence.ts';
import { labelSlope } from './slopes.ts';

type RecordDp = Extract<SiloDefence, { type: 'record-dp-sgd' }>;

/**
 * DP-SGD on records (Abadi et al., CCS 2016; arXiv:1607.00133): every step draws each record by its own coin, clips its
 * derivative, adds Gaussian noise of standard deviation noiseMultiplier * clipNorm to the sum and divides by the public constant
 * `recordsPerStep`. Neighbouring: one record added or removed. The noise is a float64's, not on a grid.
 */
export async function recordDp(
  { descent, received, numClasses, numFeatures, objective, rng }: SiloRound,
  { features, labels }: SiloRecords,
  { clipNorm, noiseMultiplier, samplingRate, steps, recordsPerStep }: RecordDp,
): Promise<Float32Array> {
  const { engine, plan, mask, pause } = descent;
  const parameters = received.slice();
  const derivative = new Float64Array(received.length);
  const [coins, noise] = [rng.fork('record coins'), rng.fork('record noise')];
  for (let step = 0; step < steps; step++) {
    const rows = poissonSample(coins, labels.length, SamplingRate.parse(samplingRate));
    const slope = eachRecord(labelSlope(pickLabels(labels, rows), numClasses, objective), rows.length);
    const batch = { parameters, features: pickRows(features, rows, numFeatures) };
    if (rows.length > 0) engine.derivative(batch, slope, derivative, { clipNorm });
    else derivative.fill(0);
    const normals = standardNormals(noise, derivative.length);
    for (let i = 0; i < derivative.length; i++) {
      const noised = (derivative[i] ?? 0) + noiseMultiplier * clipNorm * (normals[i] ?? 0);
      derivative[i] = noised / recordsPerStep;
    }
    applyStep(parameters, derivative, { ...plan, mask });
    await pause();
  }
  return parameters;
}

/** A mean's slope as each record's own. */
function eachRecord(mean: Slope, numRecords: number): Slope {
  return (logits, out) => {
    const value = mean(logits, out);
    for (let i = 0; i < out.length; i++) out[i] = numRecords * (out[i] ?? 0);
    return value;
  };
}
