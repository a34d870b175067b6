import { AuditOptions, auditRound } from '../coordinator/audit/audit-round.ts';
import { oneRunLowerBound } from '../coordinator/audit/epsilon/one-run.ts';
import { standardNormals } from '../shared/random/gaussian.ts';
import { seededRng } from '../shared/random/rng.ts';
import { aucInterval } from '../shared/stats/interval.ts';
import { auc, rocCurve } from '../shared/stats/roc.ts';
import { Seed } from '../shared/units.ts';
import { evidenceOf } from '../test/support/audit-evidence.ts';

/**
 * Milliseconds of processor time of the audit's statistics on one core, and the memory of the process at its highest after
 * audits of 10, 20 and 40 thousand users with two records each, five attacks, and three columns of ten groups:
 *
 *     npx tsx bench/audit.ts [--json]
 */
const rng = seededRng(Seed.parse(11));
const options = AuditOptions.parse({});

// First, as the others need more memory.
const audits = [10_000, 20_000, 40_000].map((users) => {
  const evidence = evidenceOf(rng.fork(`${users}`), { users, columns: [10, 10, 10] });
  const time = milliseconds(() => auditRound(evidence, options, rng));
  return { users, milliseconds: time, peakMegabytes: process.resourceUsage().maxRSS / 1024 };
});

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
  for (const { users, milliseconds: time, peakMegabytes } of audits)
    console.log(
      `audit of ${users} users: ${time.toFixed(0)} ms; process at most ${peakMegabytes.toFixed(0)} MB so far`,
    );
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
