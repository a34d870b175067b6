import { setTimeout as waitMs } from 'node:timers/promises';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { selectUsers } from '../shared/data/partition.ts';
import { placesOf } from '../shared/data/places.ts';
import { numUsers, type Shard } from '../shared/data/shard.ts';
import { type ErrorCode, ParleyError } from '../shared/errors.ts';
import { auditSignals } from '../shared/model/evaluate.ts';
import type { LocalTrainer } from '../shared/model/local-trainer.ts';
import type { Decline, Reply, Stage } from '../shared/protocol/messages.ts';
import { encodedSignals } from '../shared/protocol/payloads.ts';
import { type EnrolTask, type Plan, participationRate, type ScoreTask } from '../shared/protocol/plan.ts';
import { encodedRoster } from '../shared/protocol/roster.ts';
import { sealed } from '../shared/protocol/signed.ts';
import { RoundIndex, type RunId, type SiteId } from '../shared/units.ts';
import { type AuditUsers, freshCounts, rosterOf } from './audit-roles.ts';
import type { Models } from './models.ts';
import { participate } from './participate.ts';
import { checkScoredModel } from './policy.ts';
import { type RunUsers, usersOf } from './run-users.ts';
import type { Session } from './session.ts';
import { wholeSite } from './silo.ts';
import type { SiteBeforeCoins } from './site.ts';
import { upload } from './transfer.ts';

/** What carrying out orders takes. */
export interface Desk {
  readonly name: SiteId;
  readonly coordinatorKey: PublicKey;
  readonly site: SiteBeforeCoins;
  readonly identity: Identity;
  readonly audit: AuditUsers;
  /** The public constant; the number of users that may train when left out, in simulations only. */
  readonly declaredUsers: number | undefined;
  readonly session: Session;
  readonly models: Models;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly note: (text: string) => void;
}

/** Enrol: flip the audit coins and draw the canaries, once for each run, and send the roster of audit users. */
export async function enrol(task: EnrolTask, desk: Desk): Promise<void> {
  const { shard } = desk.site;
  assertFits(task, shard);
  const users = await usersOf(task.run, desk.site, desk.audit);
  const declaredUsers = declaredBy(desk, users);
  const privacy = desk.site.rng.kind === 'secure' ? 'private' : 'simulation: not private';
  const { freshFraction, places: areTold } = desk.audit;
  const places = areTold ? placesOf(users.shard, users.roles.users, task.run) : undefined;
  const facts = { declaredUsers, privacy, places, mislabelled: users.canaries, freshFraction } as const;
  const roster = rosterOf(users.shard, users.roles, facts);
  await send(
    {
      run: task.run,
      round: RoundIndex.parse(0),
      stage: 'roster',
      bytes: encodedRoster(roster, task.numClasses),
    },
    desk,
  );
}

function declaredBy({ declaredUsers, name, site, audit }: Desk, { trainable, canaries }: RunUsers): number {
  const declared = declaredUsers ?? trainable.filter((user) => !canaries.has(user)).length;
  if (declared > 0) return declared;
  throw new ParleyError(
    'DATA_EMPTY',
    `site ${name}: all of its ${numUsers(site.shard)} user(s) are audit users, held out or reference, so nobody may train: ` +
      `lower audit.fraction, which is ${audit.fraction}, or give the site more users`,
  );
}

/**
 * Take part in a round: fetch the model, prepare the release, wait for the plan's tick, send. A plan that this site does
 * not go along with is declined with the reason; a release is the same bytes however often the plan arrives.
 *
 * @throws LEDGER_ROLLBACK when the coordinator has seen a newer ledger; what fetching, training and sending throw beyond the
 * reasons to decline.
 */
export async function takePart(plan: Plan, arrivedMs: number, desk: Desk): Promise<void> {
  const { site, identity, session } = desk;
  site.mark?.('planned');
  try {
    const parameters = await desk.models.parameters(plan.model);
    const users = await usersOf(plan.run, site, desk.audit);
    const trainer = await trainerFor(plan, users, desk);
    const directions = { site: desk.name, coins: users.roles.canaries ?? new Int32Array(0) };
    const shard = users.trainingShard;
    const mask = await desk.models.mask(plan);
    const own = { ...site, ...users, shard, directions, mask };
    const release = await participate(plan, parameters, own, trainer);
    await untilTick(plan, arrivedMs, desk);
    await send({ run: plan.run, round: plan.round, stage: 'update', bytes: release.bytes }, desk);
  } catch (error) {
    if (!(error instanceof ParleyError) || !reasonsToDecline.has(error.code)) throw error;
    desk.note(`declined round ${plan.round}: ${error.message}`);
    const decline: Decline = {
      run: plan.run,
      round: plan.round,
      stage: 'update',
      code: error.code,
      detail: error.message,
      ledger: site.ledger.position(),
    };
    const signed = sealed(identity, 'decline', decline);
    noteRefused(await session.request({ type: 'decline', signed }), desk);
  }
}

/** Who trains: each drawn user alone, or all of them together where the plan says so. */
async function trainerFor(
  { model: { spec }, local, protection }: Plan,
  users: RunUsers,
  desk: Desk,
): Promise<Pick<LocalTrainer, 'clippedSum'>> {
  if (local.silo === undefined) return desk.models.trainer(spec, local.defence);
  const weight = participationRate(protection) * declaredBy(desk, users);
  const reference = users.roles.users.filter((_, index) => users.roles.roles[index] === 2);
  const { publicShard } = desk.site;
  return wholeSite(await desk.models.siloTrainer(spec), { weight, reference, publicShard });
}

function noteRefused(reply: Reply, { note }: Desk): void {
  if (reply.type !== 'refused') return;
  if (reply.code === 'LEDGER_ROLLBACK') throw new ParleyError(reply.code, reply.detail);
  note(`the coordinator did not take the refusal: ${reply.detail}`);
}

/**
 * Score the audit users under a model: signals of records whose users are outside the promise.
 *
 * @throws POLICY_REFUSED when the site's policy has not allowed the model; what fetching, scoring and sending throw.
 */
export async function score(task: ScoreTask, desk: Desk): Promise<void> {
  checkScoredModel(task, desk.site.policy);
  const parameters = await desk.models.parameters(task.model);
  const { shard, roles } = await usersOf(task.run, desk.site, desk.audit);
  const signals = await auditSignals(task.model.spec, parameters, {
    ...selectUsers(shard, roles.users),
    isReference: Array.from(roles.roles, (role) => role === 2),
    freshCounts: freshCounts(shard, roles, desk.audit.freshFraction),
  });
  await send({ run: task.run, round: task.version, stage: 'signals', bytes: encodedSignals(signals) }, desk);
}

async function untilTick(
  { round, answerAfterMs }: Plan,
  arrivedMs: number,
  { now, note }: Desk,
): Promise<void> {
  if (answerAfterMs === 0) return;
  const passed = now() - arrivedMs;
  if (passed > answerAfterMs)
    note(
      `round ${round} took longer than its tick, so this answer waits for the next: which tick it is tells of the data; ask for a ` +
        'longer answerAfterMs',
    );
  await waitMs(Math.max(1, Math.ceil(passed / answerAfterMs)) * answerAfterMs - passed);
}

const reasonsToDecline: ReadonlySet<ErrorCode> = new Set([
  'POLICY_REFUSED',
  'BUDGET_EXCEEDED',
  'EQUIVOCATION',
  'RELEASE_FORFEITED',
  'STALE_ROUND',
  'EVENT_UNSUPPORTED',
  'MODEL_INVALID',
  'MODEL_HASH_MISMATCH',
  'WRONG_SHAPE',
  'NON_FINITE',
]);

function assertFits(task: EnrolTask, { numFeatures, numClasses }: Shard): void {
  if (task.numFeatures === numFeatures && task.numClasses === numClasses) return;
  const key = task.numFeatures === numFeatures ? 'output' : 'inputShape';
  throw new ParleyError(
    'WRONG_SHAPE',
    `the run's model takes ${task.numFeatures} features and tells ${task.numClasses} classes apart, this site's data have ` +
      `${numFeatures} and ${numClasses}: correct federation.model.${key}, or use the data schema that the federation agreed on`,
  );
}

interface Payload {
  readonly run: RunId;
  readonly round: RoundIndex;
  readonly stage: Stage;
  readonly bytes: Uint8Array;
}

async function send({ bytes, ...about }: Payload, desk: Desk): Promise<void> {
  const { ledger, mark } = desk.site;
  const offer = { about: { ...about, ledger: ledger.position() }, site: desk.name, bytes };
  if (about.stage !== 'update') {
    await upload(desk.session, { ...desk, ...offer });
    return;
  }
  const receipt = await upload(desk.session, { ...desk, ...offer, mark });
  await ledger.receive(about.run, about.round, JSON.stringify(receipt));
  mark?.('received');
}
