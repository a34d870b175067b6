import { allUsers, numUsers, type Shard } from '../../data/shard.ts';
import { assertNever, ParleyError } from '../../errors.ts';
import { numFeatures, numParams } from '../layout.ts';
import { objectiveOf } from '../objective.ts';
import { type ModelSpec, numClasses } from '../spec.ts';
import type { TrainerChoice } from '../trainer.ts';
import { adversarial } from './adversarial.ts';
import { alignment, representationAlignment } from './alignment.ts';
import { siloMisfit } from './combine.ts';
import { stretches } from './descend.ts';
import { distillation } from './distillation.ts';
import type { SiloEngine } from './engine.ts';
import { onLabels, type SiloRound } from './labelled.ts';
import { mist } from './mist.ts';
import { recordDp } from './record-dp.ts';
import { gatherRecords, type SiloRecords } from './records.ts';
import { selectEngine } from './select-engine.ts';
import { selena } from './selena.ts';
import type { SiloResult, SiloTask, SiloTrainer } from './silo-trainer.ts';

/**
 * The provider of silo-level training for a model; its description says which one and why. tfjs is loaded only when needed.
 *
 * @throws MODEL_INVALID, BACKEND_UNAVAILABLE as `localTrainer`.
 */
export async function siloTrainer(spec: ModelSpec, choice: TrainerChoice): Promise<SiloTrainer> {
  const { engine, why } = await selectEngine(spec, choice);
  return trainerWith(spec, engine, why);
}

function trainerWith(spec: ModelSpec, engine: SiloEngine, why: string): SiloTrainer {
  return {
    provider: engine.provider,
    description: `${engine.description}, all drawn users of the site together; ${why}`,
    train: (task) => trainSite(spec, engine, task),
  };
}

async function trainSite(spec: ModelSpec, engine: SiloEngine, task: SiloTask): Promise<SiloResult> {
  const { plan, parameters, shard, users, rng } = task;
  checkFits(task, spec);
  const maxRecordsPerUser = recordsPerUser(task);
  const records = gatherRecords(shard, spec, { users, maxRecordsPerUser });
  const { unusable } = records;
  if (records.labels.length === 0 && plan.silo.type !== 'record-dp-sgd')
    return { parameters: parameters.slice(), unusable };
  const classes = numClasses(spec);
  const round: SiloRound = {
    descent: { engine, plan, mask: task.mask, pause: stretches() },
    received: parameters,
    epochs: plan.epochs,
    numClasses: classes,
    numFeatures: numFeatures(spec),
    // No defence that combines with these depends on the round or the epoch.
    objective: objectiveOf(plan.defence, { round: 0, epoch: 0, numClasses: classes }),
    rng,
  };
  return { parameters: await trained(round, records, { task, spec }), unusable };
}

function trained(
  round: SiloRound,
  records: SiloRecords,
  { task, spec }: { readonly task: SiloTask; readonly spec: ModelSpec },
): Promise<Float32Array> {
  const { silo } = task.plan;
  switch (silo.type) {
    case 'pooled':
      return pooled(round, records);
    case 'mist':
      return mist(round, records, silo);
    case 'selena':
      return selena(round, records, silo);
    case 'distillation':
      return distillation(round, { records, reference: publicRecords(task, spec) }, silo);
    case 'adversarial':
      return adversarial(round, { records, reference: publicRecords(task, spec) }, silo);
    case 'alignment':
      return alignment(round, { records, reference: publicRecords(task, spec) }, silo);
    case 'representation-alignment':
      return representationAlignment(round, { records, reference: publicRecords(task, spec) }, silo);
    case 'record-dp-sgd':
      return recordDp(round, records, silo);
    default:
      return assertNever(silo);
  }
}

function pooled(round: SiloRound, records: SiloRecords): Promise<Float32Array> {
  const rows = records.labels.map((_, row) => row);
  return onLabels(round, records, { start: round.received, rows, rng: round.rng.fork('pooled') });
}

/** With a cap, one record more could push another one out, and be a change of two. */
function recordsPerUser({ plan }: SiloTask): number {
  return plan.silo.type === 'record-dp-sgd' ? Infinity : plan.maxRecordsPerUser;
}

function publicRecords({ shard, reference, publicShard, plan }: SiloTask, spec: ModelSpec): SiloRecords {
  const { maxRecordsPerUser } = plan;
  const records = publicShard
    ? gatherRecords(publicShard, spec, { users: allUsers(publicShard), maxRecordsPerUser })
    : gatherRecords(shard, spec, { users: reference, maxRecordsPerUser });
  if (records.labels.length > 0) return records;
  throw new ParleyError(
    'POLICY_REFUSED',
    `the silo-level defence ${plan.silo.type} needs public records, and this site has neither a public table with records that the ` +
      'model can take nor reference users to stand in: name a publicTable, raise audit.fraction and audit.referenceFraction here, ' +
      'or choose another defence',
  );
}

function checkFits(task: SiloTask, spec: ModelSpec): void {
  const { parameters, plan, shard, users, reference, publicShard, mask } = task;
  requireEqual('received parameters', parameters.length, numParams(spec));
  checkRecords(shard, spec, 'the data');
  if (publicShard) checkRecords(publicShard, spec, 'the public table');
  requireEqual('flags of the mask', mask?.flags.length ?? parameters.length, numParams(spec));
  const misfit = siloMisfit(plan.silo, spec);
  if (misfit !== undefined) throw new ParleyError('MODEL_INVALID', `model: ${misfit}`);
  checkUsers(shard, users);
  checkUsers(shard, reference);
}

function checkRecords(shard: Shard, spec: ModelSpec, what: string): void {
  requireEqual(`features of a record of ${what}`, shard.numFeatures, numFeatures(spec));
  if (shard.numClasses > numClasses(spec))
    throw new ParleyError(
      'MODEL_INVALID',
      `model: tells ${numClasses(spec)} classes apart, but ${what} have ${shard.numClasses}`,
    );
}

function checkUsers(shard: Shard, users: Int32Array): void {
  const isWrong = (user: number, at: number): boolean =>
    user >= numUsers(shard) || user < 0 || (at > 0 && user <= (users[at - 1] ?? -1));
  const wrong = users.findIndex(isWrong);
  if (wrong >= 0)
    throw new ParleyError(
      'WRONG_SHAPE',
      `silo task: user ${users[wrong] ?? NaN} at place ${wrong}; expected ascending users below ${numUsers(shard)}`,
    );
}

function requireEqual(what: string, got: number, expected: number): void {
  if (got !== expected)
    throw new ParleyError('WRONG_SHAPE', `silo task: ${got} ${what}, but the model has ${expected}`);
}
