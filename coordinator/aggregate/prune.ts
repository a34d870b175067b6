import { z } from 'zod';
import type { ParameterBlock, ParameterLayout } from '../../shared/model/layout.ts';
import { maskOf, type ParameterMask } from '../../shared/model/mask.ts';

const share = z.number().gt(0).lt(1);

/**
 * Iterative magnitude pruning (Han et al. 2015, arXiv:1506.02626; in steps with rounds of recovery as Frankle and Carbin 2019,
 * arXiv:1803.03635). The mask is computed from released models alone: post-processing, which costs no epsilon.
 */
export const Pruning = z
  .strictObject({
    /** Whether all weights compete with one another, or only those of the same tensor. */
    scope: z.enum(['global', 'per-tensor']).default('global'),
    /** Whether biases are pruned too. Parameters of normalization layers never are. */
    biases: z.boolean().default(false),
    outputLayer: z.boolean().default(true),
    /** Share of the prunable weights that the initial model is pruned by, so that training starts under a public mask. */
    initialShare: z.number().min(0).lt(1).default(0),
    /** When the model is pruned further; never when left out. */
    steps: z
      .strictObject({
        /** After this round for the first time. */
        firstRound: z.number().int().nonnegative(),
        /** Rounds from one step to the next, in which the model recovers. No step is taken with fewer rounds left. */
        recoveryRounds: z.number().int().positive(),
        /** Share of the prunable weights still kept that a step prunes. */
        share: share.default(0.2),
        /** Share of all prunable weights that steps never go beyond. */
        maxShare: share.default(0.9),
      })
      .optional(),
  })
  .refine(
    ({ initialShare, steps }) => initialShare > 0 || steps !== undefined,
    'give steps, or an initialShare above 0: else nothing is ever pruned',
  );
export type Pruning = z.infer<typeof Pruning>;

/** Whether the model of a round is pruned, in a run of so many rounds. */
export function isPruningRound({ steps }: Pruning, round: number, rounds: number): boolean {
  if (!steps || round < steps.firstRound) return false;
  const { firstRound, recoveryRounds } = steps;
  return (round - firstRound) % recoveryRounds === 0 && round + recoveryRounds < rounds;
}

/** How much is pruned: a share of what is still kept, and together never more than a share of everything prunable. */
export interface Cut {
  readonly pruning: Pruning;
  readonly share: number;
  readonly maxShare: number;
}

/**
 * The mask after pruning the weights of smallest magnitude among those still kept; of equal ones the first by place. `parameters`
 * of shape (numParams,). Undefined when that is none.
 */
export function prunedMask(
  parameters: Float32Array,
  layout: ParameterLayout,
  before: ParameterMask | undefined,
  { pruning, share, maxShare }: Cut,
): ParameterMask | undefined {
  const blocks = prunableBlocks(layout, pruning);
  const groups = pruning.scope === 'global' ? [blocks] : blocks.map((block) => [block]);
  const flags = before?.flags.slice() ?? new Uint8Array(parameters.length).fill(1);
  let total = 0;
  for (const group of groups) {
    const left = keptPlaces(flags, group);
    const size = group.reduce((sum, block) => sum + block.size, 0);
    const room = Math.floor(maxShare * size) - (size - left.length);
    const count = Math.min(Math.floor(share * left.length), room);
    if (count > 0) total += pruneSmallest(flags, parameters, left, count);
  }
  return total > 0 ? maskOf(flags) : undefined;
}

/** The weights that may be pruned. */
function prunableBlocks(
  layout: ParameterLayout,
  { biases, outputLayer }: Pruning,
): readonly ParameterBlock[] {
  const roles = ['kernel', 'recurrentKernel', 'embeddings', ...(biases ? ['bias'] : [])];
  return layout.filter(
    ({ name, role }) => roles.includes(role) && (outputLayer || !name.startsWith('output.')),
  );
}

function keptPlaces(flags: Uint8Array, blocks: readonly ParameterBlock[]): Int32Array {
  const places: number[] = [];
  for (const { offset, size } of blocks)
    for (let i = offset; i < offset + size; i++) if (flags[i] === 1) places.push(i);
  return Int32Array.from(places);
}

function pruneSmallest(
  flags: Uint8Array,
  parameters: Float32Array,
  places: Int32Array,
  count: number,
): number {
  const magnitude = (place: number): number => Math.abs(parameters[place] ?? 0);
  const limit = Float32Array.from(places, magnitude).sort()[count - 1] ?? 0;
  let equal = count;
  for (const place of places) {
    if (magnitude(place) >= limit) continue;
    flags[place] = 0;
    equal -= 1;
  }
  for (const place of places) {
    if (equal === 0) break;
    if (magnitude(place) !== limit) continue;
    flags[place] = 0;
    equal -= 1;
  }
  return count;
}

/** What a run's pruning contradicts, one sentence each; empty where it can be done. */
export function pruningContradictions(
  pruning: Pruning,
  run: { readonly layout: ParameterLayout; readonly rounds: number; readonly protection: string },
): string[] {
  const { steps, initialShare } = pruning;
  const size = prunableBlocks(run.layout, pruning).reduce((sum, block) => sum + block.size, 0);
  const rounds = Array.from({ length: run.rounds }, (_, round) => round);
  return [
    ...(run.protection === 'user-dp-banded'
      ? [
          'pruning and protection user-dp-banded do not combine: its noise is correlated over rounds parameter by parameter, and a mask changes which are released; take user-dp',
        ]
      : []),
    ...(size === 0
      ? ['pruning has nothing to prune: the model has no hidden layer and pruning.outputLayer is false']
      : []),
    ...(steps && !rounds.some((round) => isPruningRound(pruning, round, run.rounds))
      ? [
          `pruning.steps starts after round ${steps.firstRound} and recovers for ${steps.recoveryRounds} round(s), but rounds is ${run.rounds}: no step would be taken; start earlier, or run more rounds`,
        ]
      : []),
    ...(steps && initialShare >= steps.maxShare
      ? [
          `pruning.initialShare is ${initialShare} and pruning.steps.maxShare ${steps.maxShare}: no step would be taken`,
        ]
      : []),
  ];
}
