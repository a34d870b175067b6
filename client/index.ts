/** The door of the client's room. */
export { AuditUsers } from './audit-roles.ts';
export { ClientConfig, NoiseChoice, TrainerChoice } from './config.ts';
export { createIdentity } from './identity-file.ts';
export { launchClient } from './launch.ts';
export { ledgerCommand } from './ledger-command.ts';
export { createLinkageKey, writeLinkageKey, writePseudonyms, writeWeights } from './linkage-command.ts';
export { loadShard, loadSource, readDataSchema, sharedReads } from './load-shard.ts';
export { SitePolicy } from './policy.ts';
export { readTable } from './read-table.ts';
export { RedTeam } from './red-team.ts';
export { openSimulatedSite, type SimulatedSite } from './simulated-site.ts';
