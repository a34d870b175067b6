import { expect, test } from 'vitest';
import { loadBackend } from '../../../shared/model/backend.ts';
import { recordSignals } from '../../../shared/model/evaluate.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import { defences, denseSpecs, generalSpecs, ragged, randomTask } from './samples.ts';

test('neither training nor evaluation leaves a tensor behind', async () => {
  const { tf } = await loadBackend('auto');
  for (const [, spec] of [...generalSpecs, ...denseSpecs.slice(0, 3)]) {
    const trainer = generalTrainer({ spec, backend: await loadBackend('auto') });
    const before = tf.memory().numTensors;
    for (const [, defence] of defences) {
      for (const round of [0, 1]) {
        const task = randomTask(spec, ragged, { defence, batchSize: 2, epochs: 1 }, { round });
        await trainer.clippedSum(task);
        await recordSignals(spec, task.parameters, task.shard);
      }
    }
    expect(tf.memory().numTensors).toBe(before);
  }
});

test('trainers on different backends may work at the same time', async () => {
  const [, spec] = denseSpecs[3]!;
  const cpu = generalTrainer({ spec, backend: await loadBackend('cpu') });
  const wasm = generalTrainer({ spec, backend: await loadBackend('wasm') });
  const task = randomTask(spec, Array<number>(60).fill(3), {});
  const apart = [await cpu.clippedSum(task), await wasm.clippedSum(task)];
  const together = await Promise.all([cpu.clippedSum(task), wasm.clippedSum(task)]);
  expect(together).toEqual(apart);
});

test('a token outside the vocabulary counts as non-finite', async () => {
  const [, spec] = generalSpecs[1]!;
  const trainer = generalTrainer({ spec, backend: await loadBackend('auto') });
  for (const token of [-1, 11, 2.5]) {
    const task = randomTask(spec, [2, 2], {});
    task.shard.features[0] = token;
    const { nonFinite, norms } = await trainer.clippedSum(task);
    expect(nonFinite).toBe(1);
    expect(norms[0]).toBe(0);
    expect(norms[1]).toBeGreaterThan(0);
  }
});
