import { expect, test } from 'vitest';
import { loadBackend } from '../../../shared/model/backend.ts';
import { localTrainer } from '../../../shared/model/trainer.ts';
import { denseSpecs, generalSpecs } from './samples.ts';

const [, dense] = denseSpecs[2]!;
const [, convolution] = generalSpecs[0]!;
const [, recurrent] = generalSpecs[2]!;

test('auto takes the dense provider for stacks of dense layers and says so', async () => {
  const trainer = await localTrainer(dense, { provider: 'auto', backend: 'auto' });
  expect(trainer.provider).toBe('dense');
  expect(trainer.description).toContain('the model is a stack of dense layers');
});

test('auto takes the general provider for other models and names the layer', async () => {
  const trainer = await localTrainer(convolution, { provider: 'auto', backend: 'wasm' });
  expect(trainer.provider).toBe('general');
  expect(trainer.description).toMatch(/^tfjs wasm \(.*\); layer 0 \(conv2d\) is not dense$/);
});

test('a provider asked for by name is taken or refused', async () => {
  const general = await localTrainer(dense, { provider: 'general', backend: 'cpu' });
  expect(general.description).toBe('tfjs cpu; as asked');
  await expect(localTrainer(recurrent, { provider: 'dense', backend: 'auto' })).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('layer 0 (gru) is not dense') as string,
  });
});

test('auto backends say which one and why', async () => {
  const backend = await loadBackend('auto');
  expect(['tfjs-node', 'wasm', 'cpu']).toContain(backend.name);
  expect(backend.description).toMatch(
    /^(tfjs-node \(TensorFlow\)|tfjs wasm \(SIMD\); tfjs-node (is not installed|did not load: .+)|tfjs cpu; .+)$/,
  );
  expect(backend.description).not.toContain('\n');
});

test('tfjs-node asked for by name loads or fails with its code', async () => {
  const outcome = await loadBackend('tfjs-node').catch((error: unknown) => error);
  const { name } = await loadBackend('auto');
  if (name === 'tfjs-node') expect(outcome).toMatchObject({ name });
  else expect(outcome).toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
});

test('wasm leaves the error handling of the process alone', async () => {
  expect(await loadBackend('wasm')).toMatchObject({ name: 'wasm' });
  const handlers = ['uncaughtException', 'unhandledRejection'].flatMap((event) =>
    (process as NodeJS.EventEmitter).listeners(event).map(String),
  );
  expect(handlers.filter((source) => source.includes('throw'))).toEqual([]);
});
