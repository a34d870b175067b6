import { pickRows } from '../pick-rows.ts';
import { answersOf, onLabels, type SiloRound, student } from './labelled.ts';
import { rowsOf, type SiloRecords } from './records.ts';
import type { SiloDefence } from './silo-defence.ts';
import { nonMemberships } from './split.ts';

type Selena = Extract<SiloDefence, { type: 'selena' }>;

/**
 * SELENA (Tang et al., USENIX Security 2022): Split-AI, then self-distillation. Submodels start from the received parameters, each on
 * the users that are not its non-members; a student learns from every record the mean answer of the submodels that did not
 * train on its user. Users are split, where the paper splits records, since here a user is what an attack is about.
 */
export async function selena(
  round: SiloRound,
  records: SiloRecords,
  settings: Selena,
): Promise<Float32Array> {
  const apart = nonMemberships(records.userIds, settings, round.rng.fork('split'));
  const { targets } = await splitAnswers(round, records, { apart, submodels: settings.submodels });
  return student(round, {
    features: records.features,
    targets,
    temperature: 1,
    epochs: settings.studentEpochs ?? round.epochs,
  });
}

/**
 * For each record the mean answer of the submodels that its user is a non-member of, shape (numRecords, numClasses). `apart` has
 * each user's, by number.
 */
export async function splitAnswers(
  round: SiloRound,
  records: SiloRecords,
  { apart, submodels }: { readonly apart: readonly Int32Array[]; readonly submodels: number },
): Promise<{ readonly targets: Float32Array }> {
  const { received, numClasses, numFeatures, rng } = round;
  const targets = new Float32Array(records.labels.length * numClasses);
  for (let submodel = 0; submodel < submodels; submodel++) {
    const isNonMember = (user: number): boolean => apart[user]?.includes(submodel) ?? false;
    const members = rowsOf(records, (user) => !isNonMember(user));
    const others = rowsOf(records, isNonMember);
    const own = rng.fork(`submodel ${submodel}`);
    const parameters = await onLabels(round, records, { start: received, rows: members, rng: own });
    const answers = await answersOf(round, parameters, {
      features: pickRows(records.features, others, numFeatures),
    });
    for (const [at, row] of others.entries())
      for (let j = 0; j < numClasses; j++) {
        const to = row * numClasses + j;
        const share = apart[records.users[row] ?? 0]?.length ?? 1;
        targets[to] = (targets[to] ?? 0) + (answers[at * numClasses + j] ?? 0) / share;
      }
  }
  return { targets };
}
