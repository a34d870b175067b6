import type { Arena, Rows } from '../kernels/arena.ts';
import type { LocalPlan } from '../local-trainer.ts';
import type { Mixed } from '../logit-batch.ts';
import type { DrawnChanges, RowWidths } from './drawn-changes.ts';
import { type GroupStep, rowsOf, startOf } from './form.ts';
import { offsetsOf } from './group-steps.ts';
import type { Machine } from './layers.ts';
import type { GroupWork } from './work.ts';

/** Hands a group's drawn changes out, step by step. */
export interface ChangedSteps {
  /** Puts what the step's records have become to `input`; leaves it alone where the features do not change. */
  readonly changeRecords: (step: GroupStep, input: Rows) => void;
  /** `to` = what enters the output layer instead of `from`; leaves it alone where nothing is to change. */
  readonly changeTop: (step: GroupStep, from: Rows, to: Rows) => void;
  /** Carries the derivative by what entered the output layer to what was there before. */
  readonly carryDown: (step: GroupStep, below: Rows) => void;
  readonly mixedOf: (step: GroupStep, user: number) => Mixed | undefined;
  /** The step is over. */
  readonly leave: (step: GroupStep) => void;
}

interface State extends Machine {
  readonly drawn: DrawnChanges;
  readonly widths: RowWidths;
  /** First row of each user's next step among all drawn rows. */
  readonly next: Int32Array;
}

/** `drawn` must stand in the order of the steps that follow. */
export function changedSteps(
  machine: Machine,
  drawn: DrawnChanges,
  work: Pick<GroupWork, 'counts' | 'numSteps'>,
  { epochs, ...widths }: RowWidths & Pick<LocalPlan, 'epochs'>,
): ChangedSteps {
  const next = offsetsOf(work.counts).map((start) => epochs * start);
  const state: State = { ...machine, drawn, widths, next };
  return {
    changeRecords: (step, input) => {
      changeRecords(state, step, input);
    },
    changeTop: (step, from, to) => {
      changeTop(state, step, from, to);
    },
    carryDown: (step, below) => {
      carryDown(state, step, below);
    },
    mixedOf: (step, user) => {
      if (drawn.mixed === undefined) return undefined;
      const { partners, shares } = drawn.mixed;
      const from = startOf(next, user);
      const share = shares[user * work.numSteps + step.index] ?? 1;
      return { partners: partners.subarray(from, from + rowsOf(step.offsets, user)), share };
    },
    leave: (step) => {
      for (let user = 0; user + 1 < step.offsets.length; user++)
        next[user] = startOf(next, user) + rowsOf(step.offsets, user);
    },
  };
}

function changeRecords({ arena, drawn, widths, next }: State, step: GroupStep, input: Rows): void {
  const { features } = drawn;
  if (features === undefined) return;
  const values = valuesOf(arena, step, input);
  eachRow(step, next, (row, drawnRow) => {
    const changed = features.subarray(drawnRow * widths.features, (drawnRow + 1) * widths.features);
    values.set(changed, (row * input.row) / 4);
  });
}

function changeTop({ arena, drawn, widths, next }: State, step: GroupStep, from: Rows, to: Rows): void {
  const { noise, mask } = drawn;
  if ((noise ?? mask) === undefined) return;
  const [source, values] = [valuesOf(arena, step, from), valuesOf(arena, step, to)];
  eachRow(step, next, (row, drawnRow) => {
    const [at, start] = [(row * to.row) / 4, drawnRow * widths.top];
    for (let i = 0; i < widths.top; i++)
      values[at + i] = ((source[at + i] ?? 0) + (noise?.[start + i] ?? 0)) * (mask?.[start + i] ?? 1);
  });
}

function carryDown({ arena, drawn, widths, next }: State, step: GroupStep, below: Rows): void {
  const { mask } = drawn;
  if (mask === undefined) return;
  const values = valuesOf(arena, step, below);
  eachRow(step, next, (row, drawnRow) => {
    const [at, start] = [(row * below.row) / 4, drawnRow * widths.top];
    for (let i = 0; i < widths.top; i++) values[at + i] = (values[at + i] ?? 0) * (mask[start + i] ?? 1);
  });
}

function valuesOf(arena: Arena, step: GroupStep, rows: Rows): Float32Array {
  return arena.floats(rows.at, (step.numRows * rows.row) / 4);
}

/** Every row of a step and where what was drawn for it stands. */
function eachRow(step: GroupStep, next: Int32Array, visit: (row: number, drawnRow: number) => void): void {
  for (let user = 0; user + 1 < step.offsets.length; user++) {
    const [start, from] = [startOf(step.offsets, user), startOf(next, user)];
    for (let row = 0; row < rowsOf(step.offsets, user); row++) visit(start + row, from + row);
  }
}
