import { clipUpdate } from '../shared/privacy/clip.ts';
import type { RawUpdate } from '../shared/privacy/update.ts';
import { standardNormals } from '../shared/random/gaussian.ts';
import { seededRng } from '../shared/random/rng.ts';
import { ClipNorm, Seed } from '../shared/units.ts';
import { repeated } from './measure.ts';
import type { Part } from './part.ts';

/** One user's update clipped as the general trainer clips it, and added to the sum in float64. */
export const clip: Part = {
  name: 'clip',
  about: "clip users' updates of one million parameters and add them up: MB a second on one core",
  how: "The code of the general trainer, which holds one user's update at a time; the dense trainer's clip is part of `train`. Medians of fifteen, processor time.",
  run: async ({ quick, emit }) => {
    const count = quick ? 1000 : 1_000_000;
    const update = Float32Array.from(standardNormals(seededRng(Seed.parse(3)), count)) as RawUpdate;
    const sum = new Float64Array(count);
    const rate = async (name: string, clipNorm: ClipNorm | 'unbounded', adds: boolean): Promise<number> => {
      const { processor } = await repeated(
        () => {
          const { update: clipped } = clipUpdate(update, clipNorm);
          if (adds) for (let i = 0; i < count; i++) sum[i] = sum[i]! + clipped[i]!;
        },
        quick ? 1 : 15,
      );
      emit({ name, value: update.byteLength / 1e6 / processor, unit: 'MB/s' });
      return processor;
    };
    await rate('norm only (the update fits)', 'unbounded', false);
    const small = ClipNorm.parse(0.5);
    await rate('norm, scaled down, norm again', small, false);
    const whole = await rate('the same and added to the sum', small, true);
    emit({ name: 'clip and add one update', value: 1000 * whole, unit: 'ms', goal: { atMost: 1.2 } });
  },
};
