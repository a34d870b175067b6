import { drawNoise } from '../shared/privacy/noise.ts';
import { standardNormals } from '../shared/random/gaussian.ts';
import { type Rng, secureRng } from '../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier } from '../shared/units.ts';
import { inTurns } from './measure.ts';
import type { Part } from './part.ts';

const options = { clipNorm: ClipNorm.parse(0.5), noiseMultiplier: NoiseMultiplier.parse(1.1) };

/** Noise from the operating system's key to integers in grid units, beside the method of Box and Muller as a reference. */
export const noise: Part = {
  name: 'noise',
  about: 'noise of one core, from the key to integers in grid units: million numbers a second',
  how: 'The medians of nine turns, processor time.',
  run: async ({ quick, emit }) => {
    const count = quick ? 1000 : 1_000_000;
    const goal = { atLeast: 30 };
    const cases = [
      { name: 'Box and Muller, rounded', draw: () => roundedBoxMuller(secureRng(), count) },
      { name: 'rounded Gaussian', draw: () => drawNoise(secureRng(), count, options), goal },
      {
        name: 'discrete Gaussian, exact',
        draw: () => drawNoise(secureRng(), count, { ...options, sampler: 'discrete-gaussian' }),
      },
      { name: 'normal numbers, not rounded', draw: () => standardNormals(secureRng(), count) },
    ];
    const times = await inTurns(
      cases.map(({ draw }) => draw),
      quick ? 1 : 9,
    );
    const before = times[0]!.processor;
    for (const [index, { name, goal: wanted }] of cases.entries()) {
      const { processor } = times[index]!;
      emit({ name, value: count / 1e6 / processor, unit: 'million/s', goal: wanted });
      if (index > 0) emit({ name: `${name}, over Box and Muller`, value: before / processor, unit: 'times' });
    }
  },
};

function roundedBoxMuller(rng: Rng, count: number): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = 65_536 * Math.sqrt(-2 * Math.log(1 - rng.uniform()));
    const angle = 2 * Math.PI * rng.uniform();
    values[i] = Math.round(radius * Math.cos(angle));
    if (i + 1 < count) values[i + 1] = Math.round(radius * Math.sin(angle));
  }
  return values;
}
