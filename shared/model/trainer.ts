import { assertNever } from '../errors.ts';
import type { BackendChoice } from './backend.ts';
import type { Defence } from './defence.ts';
import { assertDefenceFits } from './defence-fit.ts';
import { denseTrainer } from './dense/dense-trainer.ts';
import { denseStack } from './dense-layers.ts';
import type { LocalTrainer } from './local-trainer.ts';
import type { ModelSpec } from './spec.ts';

/** Who trains: `auto` takes the dense provider where the model allows it. `backend` matters to the general one only. */
export interface TrainerChoice {
  readonly provider: 'auto' | 'general' | 'dense';
  readonly backend: BackendChoice;
  /** Threads of the dense provider: so many, or one for each core where a task is worth it. */
  readonly workers?: number | 'auto' | undefined;
}

/**
 * The provider of local training for a model and a defence; its description says which one and why. tfjs is loaded only when
 * needed.
 *
 * @throws MODEL_INVALID when the model does not fit together or the defence does not fit the model, or where `dense` was asked
 * for and the model is not a stack of dense layers;
 * BACKEND_UNAVAILABLE when a backend asked for by name does not load.
 */
export async function localTrainer(
  spec: ModelSpec,
  choice: TrainerChoice,
  defence: Defence = { type: 'none' },
): Promise<LocalTrainer> {
  assertDefenceFits(spec, defence);
  switch (choice.provider) {
    case 'dense':
      return denseTrainer(spec, { workers: choice.workers ?? 'auto' });
    case 'general':
      return general(spec, choice.backend, 'as asked');
    case 'auto': {
      const stack = denseStack(spec);
      if (stack.type === 'other') return general(spec, choice.backend, stack.reason);
      const trainer = denseTrainer(spec, { workers: choice.workers ?? 'auto' });
      return { ...trainer, description: `${trainer.description}; the model is a stack of dense layers` };
    }
    default:
      return assertNever(choice.provider);
  }
}

async function general(spec: ModelSpec, choice: BackendChoice, why: string): Promise<LocalTrainer> {
  const [{ loadBackend }, { generalTrainer }] = await Promise.all([
    import('./backend.ts'),
    import('./general-trainer.ts'),
  ]);
  const trainer = generalTrainer({ spec, backend: await loadBackend(choice) });
  return { ...trainer, description: `${trainer.description}; ${why}` };
}
