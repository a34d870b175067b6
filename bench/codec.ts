import { meanUpdate } from '../coordinator/aggregate/mean.ts';
import { layoutOf, numParams } from '../shared/model/layout.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { gridStep, toGrid } from '../shared/privacy/grid.ts';
import { drawNoise, release } from '../shared/privacy/noise.ts';
import type { SummedUpdate } from '../shared/privacy/update.ts';
import { decodedModel, decodedUpdate, encodedModel, encodedUpdate } from '../shared/protocol/payloads.ts';
import { standardNormals } from '../shared/random/gaussian.ts';
import { seededRng } from '../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../shared/units.ts';
import { millionParams } from './federation.ts';
import { inTurns } from './measure.ts';
import type { Part } from './part.ts';

/** The codec of what travels and is kept, and the way onto the integer grid and back. */
export const codec: Part = {
  name: 'codec',
  about:
    'safetensors and the integer grid, one million parameters: MB a second of the 4-byte vector, one core',
  how: 'Medians of fifteen turns, processor time.',
  run: async ({ quick, emit }) => {
    const spec = ModelSpec.parse(millionParams(quick));
    const [count, layout] = [numParams(spec), layoutOf(spec)];
    const clipNorm = ClipNorm.parse(0.5);
    const noiseMultiplier = NoiseMultiplier.parse(1);
    const rng = seededRng(Seed.parse(3));
    const sum = standardNormals(rng, count) as SummedUpdate;
    const parameters = Float32Array.from(sum);
    const options = { clipNorm, noiseMultiplier };
    const noise = drawNoise(rng, count, options);
    const update = release(sum, noise, options);
    const [updateFile, modelFile] = [encodedUpdate(update), encodedModel(parameters, spec, layout)];
    const step = gridStep(clipNorm, count);
    const units = Float64Array.from(update);
    const works: readonly (readonly [string, () => unknown])[] = [
      ['update to safetensors', () => encodedUpdate(update)],
      ['update from safetensors', () => decodedUpdate(updateFile, count)],
      ['model to safetensors, finite numbers checked', () => encodedModel(parameters, spec, layout)],
      ['model from safetensors, finite numbers checked', () => decodedModel(modelFile, count)],
      ['sum to the grid', () => toGrid(sum, step)],
      ['sum to the grid, noise added, saturated', () => release(sum, noise, options)],
      ['grid to the mean update', () => meanUpdate(units, step, 100)],
    ];
    const times = await inTurns(
      works.map(([, work]) => work),
      quick ? 1 : 15,
    );
    for (const [index, [name]] of works.entries())
      emit({ name, value: (4e-6 * count) / times[index]!.processor, unit: 'MB/s' });
  },
};
