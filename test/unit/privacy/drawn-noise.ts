import fc from 'fast-check';
import { expect } from 'vitest';
import type { NoiseVector } from '../../../shared/privacy/noise.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../../../shared/units.ts';

/** A stream by number. */
export const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));

/** The refusal of noise that cannot be what was promised. */
export const implausible = expect.objectContaining({ code: 'NOISE_IMPLAUSIBLE' }) as unknown;

/** A noise multiplier z and a clip norm. */
export const options = (z: number, c = 1): { noiseMultiplier: NoiseMultiplier; clipNorm: ClipNorm } => ({
  noiseMultiplier: NoiseMultiplier.parse(z),
  clipNorm: ClipNorm.parse(c),
});

/** Numbers in all tensors together. */
export const total = (tensors: readonly number[]): number => tensors.reduce((a, b) => a + b, 0);

/** What was drawn, changed number by number, still saying what it was drawn for. */
export function tampered(noise: NoiseVector, change: (value: number, index: number) => number): NoiseVector {
  const { clipNorm, noiseMultiplier, sampler } = noise;
  return Object.assign(Float64Array.from(noise, change), {
    clipNorm,
    noiseMultiplier,
    sampler,
  }) as NoiseVector;
}

/** Sizes of up to twelve tensors. */
export const layouts = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 12 });

/** Noise multipliers. */
export const multipliers = fc.double({ min: 0.01, max: 50, noNaN: true });

/** Clip norms. */
export const clipNorms = fc.double({ min: 1e-3, max: 1e3, noNaN: true });

/** Both ways to draw. */
export const samplers = fc.constantFrom('rounded-gaussian', 'discrete-gaussian');
