/** The door of the coordinator's room. */

export { fedMiaScore } from './audit/attacks/fed-mia.ts';
export { offlineLira, onlineLira } from './audit/attacks/lira.ts';
export type { AttackName } from './audit/attacks.ts';
export { AuditOptions, auditRound, mislabelledAttacks } from './audit/audit-round.ts';
export { type CanaryOfRun, canaryOfRun } from './audit/canaries/canary-of-run.ts';
export { CanaryScores } from './audit/canaries/scores.ts';
export { type RepeatedRun, repeatedRunsBound } from './audit/epsilon/repeated-runs.ts';
export type { Evidence } from './audit/evidence.ts';
export { populationOf } from './audit/population.ts';
export { evidenceOfUsers } from './audit/subset.ts';
export { FederationConfig } from './config.ts';
export { runCoordinator } from './coordinator.ts';
export { type FinishedRun, openFinishedRun } from './finished-run.ts';
export { launchCoordinator } from './launch.ts';
export { parleyVersion } from './manifest.ts';
export type { Outcome } from './run.ts';
export { callerKeyIn, createCallerKey } from './serve/caller-key.ts';
export { launchServe } from './serve/launch-serve.ts';
export { listen } from './server.ts';
export type { Observer } from './state.ts';
export { prepareDirectory } from './store/files.ts';
export { lockRun } from './store/lock.ts';
