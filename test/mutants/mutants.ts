import type { Edit } from './edit.ts';

/** A fault in what protects users, and existing suites of which at least one test must turn red. */
export interface Mutant extends Edit {
  readonly name: string;
  readonly suites: readonly string[];
}

const noise = 'test/unit/privacy/noise.test.ts';
const clip = 'test/unit/privacy/clip.test.ts';
const training = 'test/unit/model/local-training.test.ts';
const participate = 'test/unit/client/participate.test.ts';

/** Faults that are easy to make and hard to see; those that have two homes stand here twice. */
export const mutants: readonly Mutant[] = [
  {
    name: 'sigma squared for sigma',
    file: 'shared/privacy/noise.ts',
    find: 'return noiseMultiplier * clipNorm;',
    replace: 'return (noiseMultiplier * clipNorm) ** 2;',
    suites: [noise],
  },
  {
    name: 'half noise',
    file: 'shared/privacy/noise.ts',
    find: 'return stdDev / gridStep(clipNorm, numParams);',
    replace: 'return (0.5 * stdDev) / gridStep(clipNorm, numParams);',
    suites: [noise],
  },
  {
    name: 'no clip',
    file: 'shared/privacy/clip.ts',
    find: "const fits = clipNorm === 'unbounded' || norm <= clipNorm;",
    replace: "const fits = clipNorm === 'unbounded' || norm >= 0;",
    suites: [clip],
  },
  {
    name: 'no clip in local training',
    file: 'shared/model/user-loop.ts',
    find: 'clipUpdate(rawUpdate(local, task.parameters), clipNorm)',
    replace: "clipUpdate(rawUpdate(local, task.parameters), 'unbounded')",
    suites: [training],
  },
  {
    name: 'no clip in the dense provider',
    file: 'shared/model/dense/sum-factor.ts',
    find: 'influence <= clipNorm ? weight',
    replace: 'influence >= 0 ? weight',
    suites: [training],
  },
  {
    name: 'clip per tensor',
    file: 'shared/privacy/clip.ts',
    find: 'const norm = l2Norm(update);',
    replace: `const half = update.length >> 1;
  const norm = Math.max(l2Norm(update.subarray(0, half)), l2Norm(update.subarray(half)));`,
    suites: [clip],
  },
  {
    name: 'division by the drawn count at the site',
    file: 'client/participate.ts',
    find: '{ ...trained, users,',
    replace: '{ ...trained, sum: trained.sum.map((value) => value / Math.max(1, users.length)), users,',
    suites: [participate],
  },
  {
    name: 'division by the number of answers instead of declared users',
    file: 'coordinator/aggregate/mean.ts',
    find: 'declaredUsers.reduce((total, users) => total + users, 0)',
    replace: 'declaredUsers.length',
    suites: ['test/unit/coordinator/mean.test.ts'],
  },
  {
    name: 'noise re-drawn on retry',
    file: 'client/participate.ts',
    find: 'if (earlier) return sameRelease(earlier, planSha256, plan);',
    replace: 'if (earlier) sameRelease(earlier, planSha256, plan);',
    suites: [participate],
  },
  {
    name: 'ledger written after the send',
    file: 'client/participate.ts',
    find: 'const stored = await site.ledger.commit({',
    replace: `const stored = ((release) => {
    setImmediate(() => void site.ledger.commit(release));
    return { planSha256, sha256: sha256(release.bytes), bytes: release.bytes };
  })({`,
    suites: [participate],
  },
  {
    name: 'one lost count in composition',
    file: 'shared/privacy/accounting/interpret.ts',
    find: 'count: before + count',
    replace: 'count: before + count - Math.min(before, 1)',
    suites: ['test/unit/privacy/accounting/interpret.test.ts'],
  },
  {
    name: 'a seeded generator in production',
    file: 'client/launch.ts',
    find: 'config.seed === undefined ? secureRng() : seededRng(config.seed)',
    replace: 'config.seed === null ? secureRng() : seededRng(config.seed ?? 1)',
    suites: ['test/unit/client/launch.test.ts'],
  },
];
