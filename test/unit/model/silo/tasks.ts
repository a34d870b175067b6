import { LocalPlan } from '../../../../shared/model/local-trainer.ts';
import type { SiloDefence } from '../../../../shared/model/silo/silo-defence.ts';
import type { SiloTask } from '../../../../shared/model/silo/silo-trainer.ts';
import { siloTrainer } from '../../../../shared/model/silo/train-site.ts';
import { ModelSpec } from '../../../../shared/model/spec.ts';
import { randomTask } from '../samples.ts';

/** A small smooth model with a hidden layer. */
export const spec = ModelSpec.parse({
  inputShape: [6],
  layers: [{ type: 'dense', units: 5, activation: 'tanh' }],
  output: { type: 'softmax', classes: 3 },
});

/** A round of a site with eight users, of whom six are drawn and two stand for the public. */
export function taskOf(silo: SiloDefence, change: Partial<SiloTask> = {}): SiloTask {
  const plan = LocalPlan.parse({ epochs: 2, batchSize: 4, learningRate: 0.3, silo });
  return {
    ...randomTask(spec, [3, 1, 4, 2, 5, 3, 2, 4], {}),
    users: Int32Array.of(0, 2, 3, 4, 6, 7),
    reference: Int32Array.of(1, 5),
    plan: { ...plan, silo },
    ...change,
  };
}

/** What the model's own provider makes of it. */
export async function trained(task: SiloTask): Promise<Float32Array> {
  const { parameters } = await (await siloTrainer(spec, { provider: 'auto', backend: 'auto' })).train(task);
  return parameters;
}
