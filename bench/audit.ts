import { setImmediate } from 'node:timers/promises';
import { AuditOptions, auditRound } from '../coordinator/audit/audit-round.ts';
import { seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';
import { evidenceOf } from '../test/support/audit-evidence.ts';

/**
 * The statistics of one audit: 10,000 users with four records each, every attack, ten groups. Prints how long it takes on one
 * core, and the longest stretch in which nothing else could run, both as processor time: npx tsx bench/audit.ts. Targets: below
 * 1 s, below 50 ms.
 */
const rng = seededRng(Seed.parse(1));
const evidence = evidenceOf(rng.fork('users'), { users: 10_000, records: 4, leak: 0.1, columns: [10] });
for (let repeat = 0; repeat < 3; repeat++) {
  const started = cpuMs();
  let [since, longest] = [started, 0];
  const pause = async (): Promise<void> => {
    longest = Math.max(longest, cpuMs() - since);
    await setImmediate();
    since = cpuMs();
  };
  await auditRound(evidence, AuditOptions.parse({}), { rng: rng.fork(`audit ${repeat}`), pause });
  await pause();
  console.log(`${(cpuMs() - started).toFixed(0)} ms, longest stretch ${longest.toFixed(1)} ms`);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
