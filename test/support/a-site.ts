import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openLedger, type SiteLedger } from '../../client/ledger.ts';
import { SitePolicy } from '../../client/policy.ts';
import type { Site } from '../../client/site.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import type { Shard } from '../../shared/data/shard.ts';
import type { LocalTask, LocalTrainer } from '../../shared/model/local-trainer.ts';
import type { SummedUpdate } from '../../shared/privacy/update.ts';
import { Plan, protocolVersion } from '../../shared/protocol/plan.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { RunId, Seed } from '../../shared/units.ts';
import { temporaryFolder } from './temporary.ts';

/** Two features and a bias. */
export const tinyParams = 3;
export const run = RunId.parse('run-1');

/** Users with one, two or three records each of two features; labels take turns. */
export function aShard(users: number): Shard {
  const userOffsets = new Int32Array(users + 1);
  for (let user = 0; user < users; user++) userOffsets[user + 1] = userOffsets[user]! + 1 + (user % 3);
  const records = userOffsets[users]!;
  return {
    numFeatures: 2,
    numClasses: 2,
    features: Float32Array.from({ length: 2 * records }, (_, index) => Math.sin(index + 1)),
    labels: Int32Array.from({ length: records }, (_, record) => record % 2),
    userOffsets,
    userIds: Array.from({ length: users }, (_, user) => `patient ${user}`),
    subpopulations: [
      {
        column: 'ward',
        vocabulary: ['a', 'b'],
        codes: Int32Array.from({ length: users }, (_, user) => user % 2),
      },
    ],
  };
}

export interface PlanChange {
  readonly round?: number;
  readonly minSites?: number;
  readonly model?: Record<string, unknown>;
  readonly answerAfterMs?: number;
  readonly local?: Record<string, unknown>;
  readonly protection?: Record<string, unknown>;
}

/** A plan for the tiny model, as it comes off the wire: z 1.5, C 0.25, q 0.5. */
export function aPlan({ round = 4, minSites = 2, answerAfterMs = 500, ...change }: PlanChange = {}): Plan {
  return Plan.parse({
    protocolVersion,
    run,
    round,
    rounds: 10,
    model: {
      spec: { inputShape: [2], layers: [], output: { type: 'sigmoid' }, ...change.model },
      sha256: sha256('model'),
      sizeBytes: 100,
    },
    local: { epochs: 2, batchSize: 'all', learningRate: 0.25, ...change.local },
    protection: change.protection ?? userDp(),
    minSites,
    answerAfterMs,
    deadlineMs: 1000,
  });
}

/** User-level protection with something changed. */
export function userDp(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: 'user-dp',
    mode: 'local',
    clipNorm: 0.25,
    noiseMultiplier: 1.5,
    samplingRate: 0.5,
    delta: 1e-5,
    ...change,
  };
}

/** A policy that the usual plan meets, with something changed. */
export function aPolicy(change: Partial<Record<keyof SitePolicy, unknown>> = {}): SitePolicy {
  return SitePolicy.parse({ maxEpsilon: 20, delta: 1e-5, minNoiseMultiplier: 0.5, ...change });
}

/** A ledger in a file of its own, closed when the test has finished. */
export async function aLedger(path = join(temporaryFolder(), 'ledger.sqlite')): Promise<SiteLedger> {
  const ledger = await openLedger(path);
  onTestFinished(() => ledger.close());
  return ledger;
}

/** A site of the given number of users, all of whom may train. */
export async function aSite(users: number, change: Partial<Site> = {}): Promise<Site> {
  return {
    shard: aShard(users),
    trainable: Int32Array.from({ length: users }, (_, user) => user),
    policy: aPolicy(),
    ledger: change.ledger ?? (await aLedger()),
    rng: seededRng(Seed.parse(7)),
    ...change,
  };
}

/** A trainer that hands out the sums it is given, one after another, and keeps what it was asked. */
export function trainerOf(
  ...sums: readonly (readonly number[])[]
): LocalTrainer & { readonly tasks: LocalTask[] } {
  const tasks: LocalTask[] = [];
  return {
    provider: 'general',
    description: 'sums of a test',
    tasks,
    clippedSum: (task) => {
      const sum = sums[tasks.length % sums.length] ?? [];
      tasks.push(task);
      const result = { norms: new Float64Array(task.users.length), nonFinite: 0 };
      // Stands for a trainer, which establishes that its sum is one.
      return Promise.resolve({ ...result, sum: Float64Array.from(sum) as SummedUpdate });
    },
  };
}

/** A trainer that must not be called. */
export const noTrainer: LocalTrainer = {
  provider: 'general',
  description: 'refuses to train',
  clippedSum: () => Promise.reject(new Error('trained although the plan was to be refused')),
};
