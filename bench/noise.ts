import { drawNoise } from '../shared/privacy/noise.ts';
import { standardNormals } from '../shared/random/gaussian.ts';
import { type Rng, secureRng } from '../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier } from '../shared/units.ts';

/**
 * Million numbers of noise a second on one core, from the operating system's key to integers in grid units, and how much faster
 * than the method of Box and Muller that was used before:
 *
 *     npx tsx bench/noise.ts
 */
const numParams = 1_000_000;
const options = { clipNorm: ClipNorm.parse(0.5), noiseMultiplier: NoiseMultiplier.parse(1.1) };
const before = perSecond(() => roundedBoxMuller(secureRng(), numParams));
const cases: readonly [string, () => unknown][] = [
  ['rounded Gaussian', () => drawNoise(secureRng(), numParams, options)],
  [
    'discrete Gaussian, exact',
    () => drawNoise(secureRng(), numParams, { ...options, sampler: 'discrete-gaussian' }),
  ],
  ['normal numbers, not rounded', () => standardNormals(secureRng(), numParams)],
];

console.log(`Box and Muller, rounded: ${before.toFixed(1)} million a second`);
for (const [name, draw] of cases) {
  const now = perSecond(draw);
  console.log(
    `${name}: ${now.toFixed(1)} million a second, ${(now / before).toFixed(2)} times Box and Muller`,
  );
}

/** Million numbers per second of processor time, system's share included: the median of seven draws after two that warm up. */
function perSecond(draw: () => unknown): number {
  const microseconds: number[] = [];
  for (let repeat = 0; repeat < 9; repeat++) {
    const start = process.cpuUsage();
    draw();
    const { user, system } = process.cpuUsage(start);
    microseconds.push(user + system);
  }
  const sorted = microseconds.slice(2).sort((a, b) => a - b);
  return numParams / (sorted[3] ?? NaN);
}

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
