import type { DenseLayer } from '../dense-layers.ts';
import type { Rows } from '../kernels/arena.ts';
import { doInputsChange } from './drawn-changes.ts';
import { factored } from './factored.ts';
import { factoredInput } from './factored-input.ts';
import { type LayerForm, type LayerRoom, startOf } from './form.ts';
import { type Machine, type SharedLayer, sumRoom } from './layers.ts';
import { ownWeights } from './own-weights.ts';
import type { GroupWork, RoundWork } from './work.ts';

/** One layer of a group: what it computes with, and what goes in and comes out of it. */
export interface Stage {
  readonly form: LayerForm;
  readonly layer: DenseLayer;
  readonly sum: number;
  /** The output of the stage below or, where a step puts something else in, room for that. */
  readonly input: Rows;
  /** After the activation. */
  readonly output: Rows;
  /** Derivative at the pre-activations. */
  readonly gradient: Rows;
}

/** What a group's stages are made for. */
export interface StageWork extends Machine {
  readonly round: RoundWork;
  readonly work: GroupWork;
  /** First record of each user among the group's, shape (users + 1,), and the records themselves. */
  readonly records: Int32Array;
  readonly features: Rows;
}

/** A stage for each layer, from the input up. */
export function makeStages(staged: StageWork, shared: readonly SharedLayer[]): Stage[] {
  const { arena, kernels, round, work, records } = staged;
  const { learningRate, l2 } = round.plan;
  const numUsers = work.counts.length;
  const numRows = startOf(records, numUsers);
  const stages: Stage[] = [];
  for (const [index, layer] of shared.entries()) {
    const sum = sumRoom(staged, layer.layer);
    const room: LayerRoom = {
      ...{ kernels, arena, shared: layer, sum, numUsers, numSteps: work.numSteps, records },
      ...{ learningRate, decay: 1 - learningRate * l2 },
    };
    const form = makeForm(room, staged, index);
    const { inputs, units } = layer.layer;
    const place = { isTop: index === shared.length - 1, below: stages.at(-1)?.output };
    const input = makeInput(staged, inputs, place);
    const [output, gradient] = [arena.rows(numRows, units), arena.zeroRows(numRows, units)];
    stages.push({ form, layer: layer.layer, sum, input, output, gradient });
  }
  return stages;
}

function makeForm(room: LayerRoom, { round, work, features }: StageWork, index: number): LayerForm {
  const { plan } = round;
  if (work.factored[index] !== true) return ownWeights(room);
  if (index === 0 && !doInputsChange(plan, work.factored.length)) return factoredInput(room, features);
  return factored(
    room,
    room.records.map((start) => plan.epochs * start),
  );
}

/** Where the rows that enter a stage stand; `below` is undefined for the first one. */
function makeInput(
  { arena, round, work, records, features }: StageWork,
  inputs: number,
  { isTop, below }: { readonly isTop: boolean; readonly below: Rows | undefined },
): Rows {
  const { orders, changes, counts, factored: layers } = work;
  const areKept = orders === undefined && !doInputsChange(round.plan, layers.length);
  if (below === undefined && areKept) return features;
  const isChanged = isTop && (changes?.mask ?? changes?.noise) !== undefined;
  if (below !== undefined && !isChanged) return below;
  return arena.zeroRows(startOf(records, counts.length), inputs);
}
