import type { DenseLayer } from '../dense-layers.ts';
import type { LocalTask } from '../local-trainer.ts';
import { forEachStep } from '../steps.ts';
import { userRng } from '../user-loop.ts';
import { type ChooseForm, loadSize, type UserLoad } from './choose-form.ts';
import type { GroupWork } from './work.ts';

/** Drawn users who are trained together: equally many steps, every layer in the same form. */
export interface Group {
  /** Positions in the task's users. */
  readonly members: readonly number[];
  readonly numSteps: number;
  /** Whether each layer is in factored form. */
  readonly factored: readonly boolean[];
  /** Multiplications, roughly. */
  readonly work: number;
}

/** How much work a group is given at most: some tens of milliseconds, so that a site stays responsive and workers even out. */
const workLimit = 2.5e8;

/** How users are grouped and trained. */
export interface Grouping {
  readonly layers: readonly DenseLayer[];
  readonly chooseForm: ChooseForm;
  /** Working memory of a group; a single user may need more. */
  readonly maxBytes: number;
}

/**
 * Cuts the drawn users into groups by steps, records and the order of the users. Depends on the task alone: not on the number of
 * workers. Users without records are in none.
 */
export function cutGroups(task: LocalTask, { layers, chooseForm, maxBytes }: Grouping): Group[] {
  const loads = Array.from(task.users, (user, member) => ({ member, load: loadOf(task, user) }));
  loads.sort((a, b) => compare(a.load, b.load) || a.member - b.member);
  const groups: (Group & { members: number[]; work: number })[] = [];
  let bytes = 0;
  let latest: UserLoad | undefined;
  let factored: readonly boolean[] = [];
  let size = { bytes: 0, work: 0 };
  for (const { member, load } of loads) {
    if (load.numRecords === 0) continue;
    if (!isSameLoad(load, latest)) {
      latest = load;
      factored = layers.map((layer, index) => chooseForm(layer, index === 0, load));
      size = loadSize(layers, factored, load);
    }
    const group = groups.at(-1);
    bytes += size.bytes;
    const fits = bytes <= maxBytes && (group?.work ?? 0) + size.work <= workLimit;
    if (fits && group?.numSteps === load.numSteps && sameForms(group.factored, factored)) {
      group.members.push(member);
      group.work += size.work;
    } else {
      groups.push({ members: [member], numSteps: load.numSteps, factored, work: size.work });
      bytes = size.bytes;
    }
  }
  return groups;
}

function sameForms(a: readonly boolean[], b: readonly boolean[]): boolean {
  return a.every((form, index) => form === b[index]);
}

function isSameLoad(a: UserLoad, b: UserLoad | undefined): boolean {
  return a.numRecords === b?.numRecords && a.numSteps === b.numSteps;
}

function compare(a: UserLoad, b: UserLoad): number {
  return a.numSteps - b.numSteps || a.numRecords - b.numRecords;
}

function loadOf({ shard, plan }: LocalTask, user: number): UserLoad {
  const all = (shard.userOffsets[user + 1] ?? 0) - (shard.userOffsets[user] ?? 0);
  const numRecords = Math.min(all, plan.maxRecordsPerUser);
  const size = plan.batchSize === 'all' ? numRecords : plan.batchSize;
  const numSteps = plan.epochs * Math.ceil(numRecords / Math.max(1, size));
  return { numRecords, numSteps, numRows: plan.epochs * numRecords };
}

/** What a group's training needs; draws its users' shuffles. */
export function groupWork(task: LocalTask, { members, numSteps, factored }: Group): GroupWork {
  const { shard, plan } = task;
  const users = members.map((member) => task.users[member] ?? 0);
  const starts = Int32Array.from(users, (user) => shard.userOffsets[user] ?? 0);
  const counts = Int32Array.from(users, (user) => loadOf(task, user).numRecords);
  return {
    numSteps,
    factored,
    starts,
    counts,
    orders: numSteps === plan.epochs ? undefined : ordersOf(task, users, counts),
    weights: Float64Array.from(users, (user) => task.weights?.[user] ?? 1),
  };
}

function ordersOf(task: LocalTask, users: readonly number[], counts: Int32Array): Int32Array {
  const { plan } = task;
  const orders = new Int32Array(plan.epochs * counts.reduce((sum, count) => sum + count, 0));
  let end = 0;
  for (const [index, user] of users.entries()) {
    const steps = { numRecords: counts[index] ?? 0, plan, rng: () => userRng(task, user) };
    forEachStep(steps, (_, rows) => {
      if (rows === 'all') return;
      orders.set(rows, end);
      end += rows.length;
    });
  }
  return orders;
}
