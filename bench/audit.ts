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

/**
 * Milliseconds of processor time of the audit's statistics on one core, the longest stretch in which nothing else could run,
 * and the memory of the process at its highest after audits of 10, 20 and 40 thousand users with two records each and ten
 * groups, by four attacks and by every attack:
 *
 *     npx tsx bench/audit.ts [--json]
 */
const rng = seededRng(Seed.parse(11));
const fourAttacks = ['mean-log-ratio', 'trajectory-slope', 'margin', 'rmia'] as const;
const choices = {
  'four attacks': AuditOptions.parse({ attacks: fourAttacks }),
  'every attack': AuditOptions.parse({}),
};

interface Figures {
  readonly users: number;
  readonly attacks: string;
  readonly milliseconds: number;
  readonly longestStretch: number;
  readonly peakMegabytes: number;
}

// First, as the others need more memory.
const audits: Figures[] = [];
for (const users of [10_000, 20_000, 40_000])
  for (const [attacks, options] of Object.entries(choices)) {
    const evidence = evidenceOf(rng.fork(`${users}`), { users, columns: [10] });
    await audited(evidence, options);
    const runs = [
      await audited(evidence, options),
      await audited(evidence, options),
      await audited(evidence, options),
    ];
    const least = runs.reduce((best, run) => (run.milliseconds < best.milliseconds ? run : best));
    audits.push({ users, attacks, ...least, peakMegabytes: process.resourceUsage().maxRSS / 1024 });
  }

const million = split(1_000_000);
const many = split(10_000);
const timings: Record<string, number> = {
  'AUC of a million scores': milliseconds(() => auc(million.members, million.nonMembers)),
  'ROC curve of 10,000 users': milliseconds(() => rocCurve(many.members, many.nonMembers)),
  'AUC of 10,000 users': milliseconds(() => auc(many.members, many.nonMembers)),
  'AUC interval of 10,000 users': milliseconds(() => aucInterval(many.members, many.nonMembers)),
  'one-run bound of 100,000 canaries, 10,000 guesses': milliseconds(() =>
    oneRunLowerBound(
      { canaries: 100_000, guesses: 10_000, correct: 9000 },
      { delta: 1e-5, confidence: 0.95 },
    ),
  ),
};

if (process.argv.includes('--json')) console.log(JSON.stringify({ milliseconds: timings, audits }));
else {
  for (const [name, time] of Object.entries(timings)) console.log(`${name}: ${time.toFixed(1)} ms`);
  for (const { users, attacks, milliseconds: time, longestStretch, peakMegabytes } of audits)
    console.log(
      `audit of ${users} users, ${attacks}: ${time.toFixed(0)} ms, longest stretch ${longestStretch.toFixed(0)} ms; process at most ${peakMegabytes.toFixed(0)} MB so far`,
    );
}

/** One audit, and the longest stretch between two of its pauses; processor time, as other programs take the clock's. */
async function audited(
  evidence: Evidence,
  options: AuditOptions,
): Promise<{ milliseconds: number; longestStretch: number }> {
  const started = cpuMs();
  let [since, longestStretch] = [started, 0];
  const pause = async (): Promise<void> => {
    longestStretch = Math.max(longestStretch, cpuMs() - since);
    await setImmediate();
    since = cpuMs();
  };
  await auditRound(evidence, options, { rng, pause });
  await pause();
  return { milliseconds: cpuMs() - started, longestStretch };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function split(count: number): { members: Float64Array; nonMembers: Float64Array } {
  const scores = standardNormals(rng.fork(`${count}`), count);
  return { members: scores.subarray(0, count / 2), nonMembers: scores.subarray(count / 2) };
}

/** Median processor time of five runs after two that warm up; a busy machine lengthens it little. */
function milliseconds(run: () => unknown): number {
  const times: number[] = [];
  for (let repeat = 0; repeat < 7; repeat++) {
    const start = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(start);
    times.push((user + system) / 1000);
  }
  return times.slice(2).sort((a, b) => a - b)[2] ?? NaN;
}
