import { pickRows } from '../pick-rows.ts';
import { descend } from './descend.ts';
import { answersOf, onLabels, type SiloRound } from './labelled.ts';
import { rowsOf, type SiloRecords } from './records.ts';
import type { SiloDefence } from './silo-defence.ts';
import { pullSlope } from './slopes.ts';
import { disjointGroups } from './split.ts';

type Mist = Extract<SiloDefence, { type: 'mist' }>;

/**
 * Membership-invariant subspace training (Li, Li and Ribeiro, USENIX Security 2024). Users are divided into disjoint groups; a
 * submodel of each starts from the received parameters and descends on its group's labels; then it is pulled towards the answers
 * that the others gave before any was pulled, on the group's records, which the others never saw. The average is the
 * site's model. With fewer users than groups there are as many groups as users; of a single one nothing pulls.
 */
export async function mist(round: SiloRound, records: SiloRecords, settings: Mist): Promise<Float32Array> {
  const numUsers = records.userIds.length;
  const numGroups = Math.min(settings.groups, numUsers);
  const groups = disjointGroups(numUsers, numGroups, round.rng.fork('groups'));
  const rows = Array.from({ length: numGroups }, (_, group) =>
    rowsOf(records, (user) => groups[user] === group),
  );
  return mistOfGroups(round, records, { ...settings, rows });
}

/** The same for given groups of records. */
export async function mistOfGroups(
  round: SiloRound,
  records: SiloRecords,
  {
    rows,
    weight,
    pullEpochs,
  }: Pick<Mist, 'weight' | 'pullEpochs'> & { readonly rows: readonly Int32Array[] },
): Promise<Float32Array> {
  const { descent, received, numClasses, numFeatures, rng } = round;
  const submodels: Float32Array[] = [];
  for (const [group, own] of rows.entries())
    submodels.push(
      await onLabels(round, records, { start: received, rows: own, rng: rng.fork(`group ${group}`) }),
    );
  if (submodels.length < 2) return submodels[0] ?? received.slice();
  const pulled: Float32Array[] = [];
  for (const [group, own] of rows.entries()) {
    const features = pickRows(records.features, own, numFeatures);
    const others: Float32Array[] = [];
    for (const other of submodels)
      if (other !== submodels[group]) others.push(await answersOf(round, other, { features }));
    pulled.push(
      await descend(descent, submodels[group] ?? received, {
        features,
        numRecords: own.length,
        epochs: pullEpochs,
        slopeOf: (step) =>
          pullSlope(
            others.map((answers) => pickRows(answers, step, numClasses)),
            weight,
            numClasses,
          ),
        rng: rng.fork(`pull ${group}`),
      }),
    );
  }
  return average(pulled);
}

function average(models: readonly Float32Array[]): Float32Array {
  const sum = new Float64Array(models[0]?.length ?? 0);
  for (const model of models) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (model[i] ?? 0);
  return Float32Array.from(sum, (value) => value / models.length);
}
