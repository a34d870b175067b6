import type { DataSchema } from '../../shared/data/schema.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { addLogits, type OutputSource } from '../../shared/model/output-source.ts';
import { type ModelSpec, numClasses } from '../../shared/model/spec.ts';
import { readPublicTable } from '../public-table.ts';
import { answersOf } from './answers.ts';
import { type Reference, type ReferenceUser, referenceOf } from './monitor/reference.ts';
import type { Sketcher } from './monitor/sketch.ts';

/** A model that answers, and what its records and answers mean. */
export interface ModelInUse {
  readonly spec: ModelSpec;
  readonly source: OutputSource;
  readonly schema: DataSchema;
  readonly classes: readonly string[];
  readonly sketcher: Sketcher;
}

/**
 * The monitor's reference from a table by the model's schema. Only figures are kept of it.
 *
 * @throws CONFIG_INVALID for too few users; what {@link readPublicTable} throws.
 */
export async function readReference(file: string, model: ModelInUse): Promise<Reference> {
  const shard = await readPublicTable(file, model.schema);
  const names = { subpopulations: shard.subpopulations, classes: model.classes };
  return referenceOf(usersOf(shard, model), names, model.sketcher);
}

const batchUsers = 256;

/** Every user's first record with the model's answer to it. */
function usersOf(
  { features, numFeatures, userOffsets, ...shard }: Shard,
  model: ModelInUse,
): ReferenceUser[] {
  const users = shard.userIds.map((_, user) => {
    const at = (userOffsets[user] ?? 0) * numFeatures;
    return features.subarray(at, at + numFeatures);
  });
  const { spec, source } = model;
  const values = new Float64Array(users.length * numClasses(spec));
  for (let start = 0; start < users.length; start += batchUsers) {
    const batch = users.slice(start, start + batchUsers);
    const inputs = new Float32Array(batch.length * numFeatures);
    batch.forEach((record, index) => {
      inputs.set(record, index * numFeatures);
    });
    addLogits(spec, values, source.run(inputs).logits, start);
  }
  return answersOf(values, numClasses(spec)).map(({ label, probabilities }, user) => ({
    record: users[user] ?? new Float32Array(numFeatures),
    groups: shard.subpopulations.map(({ codes }) => codes[user] ?? -1),
    ...{ label, confidence: probabilities[label] ?? 0 },
  }));
}
