import type { Rng } from '../../random/rng.ts';
import type { DenseLayer } from '../dense-layers.ts';
import type { LocalPlan, LocalTask } from '../local-trainer.ts';
import { perturber } from '../perturbation.ts';
import { recordsFrom, stepRecords } from '../step-records.ts';
import { forEachStep } from '../steps.ts';
import { userRng } from '../user-loop.ts';
import { type ChooseForm, loadSize, type UserLoad } from './choose-form.ts';
import { changeCollector, doInputsChange, drawnRowBytes, rowWidths } from './drawn-changes.ts';
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
 * Cuts the drawn users into groups by records and the order of the users. Depends on the task alone: not on the number of workers.
 * Users without records are in none.
 */
export function cutGroups(task: LocalTask, grouping: Grouping): Group[] {
  const groups: (Group & { members: number[]; work: number })[] = [];
  let bytes = 0;
  for (const { load, members } of byLoad(task, grouping.layers)) {
    const { numSteps } = load;
    const factored = grouping.layers.map((layer, index) =>
      grouping.chooseForm(layer, index === 0 && load.areInputsKept, load),
    );
    const size = loadSize(grouping.layers, factored, load);
    for (const member of members) {
      const group = groups.at(-1);
      bytes += size.bytes;
      const fits = bytes <= grouping.maxBytes && (group?.work ?? 0) + size.work <= workLimit;
      if (fits && group?.numSteps === numSteps && sameForms(group.factored, factored)) {
        group.members.push(member);
        group.work += size.work;
      } else {
        groups.push({ members: [member], numSteps, factored, work: size.work });
        bytes = size.bytes;
      }
    }
  }
  return groups;
}

/** The drawn users who have records, by how many: that decides all of a user's load. The fewest first. */
function byLoad(
  task: LocalTask,
  layers: readonly DenseLayer[],
): { readonly load: UserLoad; readonly members: readonly number[] }[] {
  const byRecords = new Map<number, number[]>();
  for (const [member, user] of task.users.entries()) {
    const numRecords = numRecordsOf(task, user);
    const members = byRecords.get(numRecords);
    if (members) members.push(member);
    else if (numRecords > 0) byRecords.set(numRecords, [member]);
  }
  const ascending = [...byRecords].sort(([a], [b]) => a - b);
  return ascending.map(([numRecords, members]) => ({ load: loadOf(task.plan, numRecords, layers), members }));
}

function sameForms(a: readonly boolean[], b: readonly boolean[]): boolean {
  return a.every((form, index) => form === b[index]);
}

function numRecordsOf({ shard, plan }: LocalTask, user: number): number {
  const all = (shard.userOffsets[user + 1] ?? 0) - (shard.userOffsets[user] ?? 0);
  return Math.min(all, plan.maxRecordsPerUser);
}

function loadOf(plan: LocalPlan, numRecords: number, layers: readonly DenseLayer[]): UserLoad {
  const size = plan.batchSize === 'all' ? numRecords : plan.batchSize;
  const numSteps = plan.epochs * Math.ceil(numRecords / size);
  const numRows = plan.epochs * numRecords;
  const drawnBytes = numRows * drawnRowBytes(plan, rowWidths(layers));
  return { numRecords, numSteps, numRows, drawnBytes, areInputsKept: !doInputsChange(plan, layers.length) };
}

/** What a group's training needs; draws its users' shuffles and whatever else their steps take by chance. */
export function groupWork(
  task: LocalTask,
  { members, numSteps, factored }: Group,
  layers: readonly DenseLayer[],
): GroupWork {
  const { shard } = task;
  const users = Int32Array.from(members);
  const [starts, counts] = [new Int32Array(users.length), new Int32Array(users.length)];
  const weights = new Float64Array(users.length).fill(1);
  for (let index = 0; index < users.length; index++) {
    const user = task.users[users[index] ?? 0] ?? 0;
    users[index] = user;
    starts[index] = shard.userOffsets[user] ?? 0;
    counts[index] = numRecordsOf(task, user);
    if (task.weights) weights[index] = task.weights[user] ?? 1;
  }
  return {
    numSteps,
    factored,
    starts,
    counts,
    weights,
    ...drawSteps(task, { users, counts, numSteps }, layers),
  };
}

/** The order of each user's records over her steps, and what the defence makes of these; nothing where nothing is drawn. */
function drawSteps(
  task: LocalTask,
  group: { readonly users: Int32Array; readonly counts: Int32Array; readonly numSteps: number },
  layers: readonly DenseLayer[],
): Pick<GroupWork, 'orders' | 'changes'> {
  const { plan, shard } = task;
  const { users, counts, numSteps } = group;
  const rows = plan.epochs * counts.reduce((sum, count) => sum + count, 0);
  const orders = numSteps === plan.epochs ? undefined : new Int32Array(rows);
  const widths = rowWidths(layers);
  const changes = changeCollector(plan, widths, { rows, steps: numSteps * users.length });
  if (orders === undefined && changes === undefined) return { orders, changes };
  let end = 0;
  for (const [index, user] of users.entries()) {
    const rng = (): Rng => userRng(task, user);
    const numRecords = counts[index] ?? 0;
    const records = recordsFrom(shard, { start: shard.userOffsets[user] ?? 0, numRecords });
    const perturb = perturber(plan.defence, widths.top, rng);
    forEachStep({ numRecords, plan, rng }, (_, picked) => {
      if (picked !== 'all') orders?.set(picked, end);
      end += picked === 'all' ? numRecords : picked.length;
      if (perturb) changes?.take(perturb(stepRecords(records, picked, shard.numFeatures)));
    });
  }
  return { orders, changes: changes?.drawn };
}
