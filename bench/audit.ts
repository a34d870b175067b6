import { setImmediate } from 'node:timers/promises';
import { AuditOptions, auditRound } from '../coordinator/audit/audit-round.ts';
import { oneRunLowerBound } from '../coordinator/audit/epsilon/one-run.ts';
import type { Evidence } from '../coordinator/audit/evidence.ts';
import { standardNormals } from '../shared/random/gaussian.ts';
import { seededRng } from '../shared/random/rng.ts';
import { aucInterval } from '../shared/stats/interval.ts';
import { auc, rocCurve } from '../shared/stats/roc.ts';
import { Seed } from '../shared/units.ts';
import { evidenceOf } from '../test/support/audit-evidence.ts';
import { processorSeconds, repeated } from './measure.ts';
import type { Part, Setting } from './part.ts';

const rng = seededRng(Seed.parse(11));
const fourAttacks = ['mean-log-ratio', 'trajectory-slope', 'margin', 'rmia'] as const;

/** Whole audits of one round, with two records a user and ten groups. */
export const audit: Part = {
  name: 'audit',
  about: 'audits of a round on one core: processor time, longest stretch without a pause, memory',
  how: 'The best of three after one that warms up, two records a user, ten groups; processor time.',
  run: async ({ quick, emit }) => {
    const choices = {
      'four attacks': AuditOptions.parse({ attacks: fourAttacks }),
      'every attack': AuditOptions.parse({}),
    };
    for (const users of quick ? [200] : [10_000, 20_000, 40_000])
      for (const [attacks, options] of Object.entries(choices)) {
        const name = `${users} users, ${attacks}`;
        const evidence = evidenceOf(rng.fork(`${users}`), { users, columns: [10] });
        const { seconds, longestStretch } = await best(evidence, options, quick ? 1 : 3);
        emit({ name, value: seconds, unit: 's' });
        emit({ name: `${name}, longest stretch`, value: 1000 * longestStretch, unit: 'ms' });
        const peak = process.resourceUsage().maxRSS / 1024;
        emit({ name: `${name}, process at most so far`, value: peak, unit: 'MiB' });
      }
  },
};

/** The pieces that audits are made of. */
export const statistics: Part = {
  name: 'statistics',
  about: 'AUC of a million scores, curves, intervals and the one-run bound: processor time on one core',
  how: 'Medians of seven after one that warms up.',
  run: async (setting) => {
    const [many, few] = setting.quick ? [1000, 100] : [1_000_000, 10_000];
    const [million, some] = [split(many), split(few)];
    await time(setting, `AUC of ${many} scores`, () => auc(million.members, million.nonMembers), 100);
    await time(setting, `ROC curve of ${few} users`, () => rocCurve(some.members, some.nonMembers));
    await time(setting, `AUC of ${few} users`, () => auc(some.members, some.nonMembers));
    await time(setting, `AUC interval of ${few} users`, () => aucInterval(some.members, some.nonMembers));
    const guesses = { canaries: 10 * few, guesses: few, correct: 0.9 * few };
    await time(setting, `one-run bound of ${10 * few} canaries, ${few} guesses`, () =>
      oneRunLowerBound(guesses, { delta: 1e-5, confidence: 0.95 }),
    );
  },
};

async function time({ quick, emit }: Setting, name: string, run: () => unknown, atMost?: number) {
  const { processor } = await repeated(run, quick ? 1 : 7);
  const goal = atMost === undefined ? undefined : { atMost };
  emit({ name, value: 1000 * processor, unit: 'ms', goal });
}

interface Audited {
  readonly seconds: number;
  readonly longestStretch: number;
}

/** The quickest of some audits, after one that warms up. */
async function best(evidence: Evidence, options: AuditOptions, repeats: number): Promise<Audited> {
  await audited(evidence, options);
  const runs: Audited[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) runs.push(await audited(evidence, options));
  return runs.reduce((least, run) => (run.seconds < least.seconds ? run : least));
}

/** One audit, and the longest stretch between two of its pauses; processor time, as other programs take the clock's. */
async function audited(evidence: Evidence, options: AuditOptions): Promise<Audited> {
  const started = processorSeconds();
  let [since, longestStretch] = [started, 0];
  const pause = async (): Promise<void> => {
    longestStretch = Math.max(longestStretch, processorSeconds() - since);
    await setImmediate();
    since = processorSeconds();
  };
  await auditRound(evidence, options, { rng, pause });
  await pause();
  return { seconds: processorSeconds() - started, longestStretch };
}

function split(count: number): { members: Float64Array; nonMembers: Float64Array } {
  const scores = standardNormals(rng.fork(`${count}`), count);
  return { members: scores.subarray(0, count / 2), nonMembers: scores.subarray(count / 2) };
}
