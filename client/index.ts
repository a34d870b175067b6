/** The door of the client's room. */
export { AuditUsers } from './audit-roles.ts';
export type { ClientObserver } from './client.ts';
export { ClientConfig, TrainerChoice } from './config.ts';
export { createIdentity } from './identity-file.ts';
export { launchClient } from './launch.ts';
export { ledgerEpsilon, openLedger } from './ledger.ts';
export { SiteRule } from './load-shard.ts';
export { SitePolicy } from './policy.ts';
