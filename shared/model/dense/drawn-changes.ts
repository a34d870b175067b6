import type { DenseLayer } from '../dense-layers.ts';
import type { LocalPlan } from '../local-trainer.ts';
import { changesOf, type PerturbedStep } from '../perturbation.ts';

/**
 * What a group's steps train on instead of its records: the rows of all steps, a user's one after another, user after user.
 * Drawn from the users' own streams before training; plain data, so that it can go to a worker.
 */
export interface DrawnChanges {
  /** Shape (rows, numFeatures). */
  readonly features: Float32Array | undefined;
  /** Second classes, shape (rows,), and shares of the first ones, shape (users, steps). */
  readonly mixed: { readonly partners: Int32Array; readonly shares: Float64Array } | undefined;
  /** Factors for the inputs of the output layer and what is added before, shape (rows, inputs of the output layer). */
  readonly mask: Float32Array | undefined;
  readonly noise: Float32Array | undefined;
}

/** How wide a row of features is, and one of the output layer's inputs. */
export interface RowWidths {
  readonly features: number;
  readonly top: number;
}

/** Of a stack of layers. */
export function rowWidths(layers: readonly DenseLayer[]): RowWidths {
  return { features: layers.at(0)?.inputs ?? 0, top: layers.at(-1)?.inputs ?? 0 };
}

/** Bytes that one row of a step takes among the drawn changes, roughly. */
export function drawnRowBytes({ defence }: Pick<LocalPlan, 'defence'>, widths: RowWidths): number {
  const changes = changesOf(defence);
  if (changes === undefined) return 0;
  const { features, mask, noise } = changes;
  return 4 * (Number(features) * widths.features + (Number(mask) + Number(noise)) * widths.top);
}

/**
 * Whether what enters the first of so many layers is another in each step: its rows are then no records that could be multiplied
 * once for all steps.
 */
export function doInputsChange({ defence }: Pick<LocalPlan, 'defence'>, numLayers: number): boolean {
  const changes = changesOf(defence);
  return changes !== undefined && (changes.features || numLayers === 1);
}

/** Collects what steps draw, in the order of `DrawnChanges`; undefined where a task's defence changes nothing. */
export function changeCollector(
  { defence }: Pick<LocalPlan, 'defence'>,
  widths: RowWidths,
  size: { readonly rows: number; readonly steps: number },
): { readonly take: (step: PerturbedStep) => void; readonly drawn: DrawnChanges } | undefined {
  const changes = changesOf(defence);
  if (changes === undefined) return undefined;
  const floats = (isWanted: boolean, width: number): Float32Array | undefined =>
    isWanted ? new Float32Array(size.rows * width) : undefined;
  const drawn: DrawnChanges = {
    features: floats(changes.features, widths.features),
    mixed: changes.mixed
      ? { partners: new Int32Array(size.rows), shares: new Float64Array(size.steps) }
      : undefined,
    mask: floats(changes.mask, widths.top),
    noise: floats(changes.noise, widths.top),
  };
  let [rows, steps] = [0, 0];
  const take = ({ features, labels, mixed, mask, noise }: PerturbedStep): void => {
    drawn.features?.set(features, rows * widths.features);
    if (mask) drawn.mask?.set(mask, rows * widths.top);
    if (noise) drawn.noise?.set(noise, rows * widths.top);
    if (mixed && drawn.mixed) {
      drawn.mixed.partners.set(mixed.partners, rows);
      drawn.mixed.shares[steps] = mixed.share;
    }
    rows += labels.length;
    steps += 1;
  };
  return { take, drawn };
}
