import { denseStack } from '../dense-layers.ts';
import type { ModelSpec } from '../spec.ts';
import type { TrainerChoice } from '../trainer.ts';
import { denseEngine } from './dense-engine.ts';
import type { SiloEngine } from './engine.ts';

/**
 * The engine for a model, and why it is this one. tfjs is loaded only when needed.
 *
 * @throws MODEL_INVALID, BACKEND_UNAVAILABLE as `localTrainer`.
 */
export async function selectEngine(
  spec: ModelSpec,
  choice: TrainerChoice,
): Promise<{ readonly engine: SiloEngine; readonly why: string }> {
  const stack = denseStack(spec);
  if (choice.provider === 'dense' || (choice.provider === 'auto' && stack.type === 'dense'))
    return { engine: denseEngine(spec), why: 'the model is a stack of dense layers' };
  const [{ loadBackend }, { generalEngine }] = await Promise.all([
    import('../backend.ts'),
    import('./general-engine.ts'),
  ]);
  const why = choice.provider === 'auto' && stack.type === 'other' ? stack.reason : 'as asked';
  return { engine: generalEngine(spec, await loadBackend(choice.backend)), why };
}
