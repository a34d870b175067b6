import { availableParallelism } from 'node:os';
import { ParleyError } from '../../errors.ts';
import { ClipNorm } from '../../units.ts';
import { type DenseLayer, denseStack } from '../dense-layers.ts';
import { knownArithmetic } from '../kernels/kernels.ts';
import type { LocalResult, LocalTask, LocalTrainer } from '../local-trainer.ts';
import type { ModelSpec } from '../spec.ts';
import { checkTask } from '../user-loop.ts';
import { type ChooseForm, isFactored, ownWhereFrozen } from './choose-form.ts';
import { cutGroups, type Group, groupWork } from './groups.ts';
import { inlineCrew } from './inline-crew.ts';
import { hasWorkerProgram } from './start-worker.ts';
import { makeTotal } from './total.ts';
import type { Crew, RoundWork } from './work.ts';
import { workerCrew } from './worker-crew.ts';

/** How the dense provider works; never what it computes, but for the last bits. */
export interface DenseOptions {
  /** Working memory of a group of users, in bytes; a single user may need more. */
  readonly groupBytes?: number;
  /** Threads; `auto` takes one for each core where a task is worth it. */
  readonly workers?: number | 'auto';
  /** Which layers of which users are in factored form; by cost when left out. */
  readonly chooseForm?: ChooseForm;
}

/** A few times the second-level cache of most processors; larger groups gain nothing. */
const usualGroupBytes = 4 * 2 ** 20;

/**
 * Local training of stacks of dense layers, groups of users at once, by WebAssembly kernels. Each user is trained as if
 * she were alone: which form her layers take and every bit of her update depend on her own records only. The sum of the
 * clipped updates is float64 throughout, in an order that the task fixes.
 *
 * @throws MODEL_INVALID when the model is not a stack of dense layers.
 */
export function denseTrainer(spec: ModelSpec, options: DenseOptions = {}): LocalTrainer {
  const stack = denseStack(spec);
  if (stack.type === 'other') {
    throw new ParleyError(
      'MODEL_INVALID',
      `model: the dense provider trains stacks of dense layers, but ${stack.reason}; use the general provider`,
    );
  }
  const layers = [...stack.hidden, stack.output];
  const { groupBytes: maxBytes = usualGroupBytes, chooseForm = isFactored } = options;
  const crewFor = makeCrews(layers, options.workers ?? 'auto');
  const train = async (task: LocalTask): Promise<LocalResult> => {
    checkTask(task, spec);
    const grouping = { layers, chooseForm: ownWhereFrozen(chooseForm, task.mask), maxBytes };
    const groups = cutGroups(task, grouping);
    const total = makeTotal(task.users.length, task.parameters.length);
    await crewFor(groups).train({
      round: roundWork(task),
      numGroups: groups.length,
      workOf: (index) => groupWork(task, groups[index] ?? none, layers),
      take: (index, result) => {
        total.add(groups[index] ?? none, result);
      },
    });
    return total.result();
  };
  // One task after another: they share memory and workers.
  let last: Promise<unknown> = Promise.resolve();
  return {
    provider: 'dense',
    description: describe(options.workers ?? 'auto'),
    clippedSum: (task) => {
      const result = last.then(() => train(task));
      last = result.catch(() => undefined);
      return result;
    },
  };
}

const none: Group = { members: [], numSteps: 0, factored: [], work: 0 };

function roundWork({ parameters, mask, shard, plan, round, clipNorm }: LocalTask): RoundWork {
  return {
    parameters,
    flags: mask?.flags,
    features: shard.features,
    labels: shard.labels,
    plan,
    round,
    clipNorm: clipNorm === 'unbounded' ? clipNorm : ClipNorm.parse(clipNorm),
  };
}

/** Multiplications above which threads are worth their start, about a quarter of a second. */
const workForThreads = 2e9;

/** Who trains which groups. Both crews are made when they are first needed. */
function makeCrews(
  layers: readonly DenseLayer[],
  workers: number | 'auto',
): (groups: readonly Group[]) => Crew {
  const numWorkers = workers === 'auto' ? availableParallelism() : workers;
  let inline: Crew | undefined;
  let threads: Crew | undefined;
  return (groups) => {
    const work = groups.reduce((sum, group) => sum + group.work, 0);
    const isWorthIt = groups.length > 1 && (workers !== 'auto' || work > workForThreads);
    if (numWorkers > 1 && isWorthIt && hasWorkerProgram()) {
      threads ??= workerCrew(layers, numWorkers);
      return threads;
    }
    inline ??= inlineCrew(layers);
    return inline;
  };
}

function describe(workers: number | 'auto'): string {
  const threads = workers === 'auto' ? 'one thread per core for large tasks' : `threads: ${workers}`;
  const vectors = knownArithmetic().includes('fused') ? 'relaxed SIMD' : 'SIMD';
  return `WebAssembly (${vectors}), ${threads}`;
}
