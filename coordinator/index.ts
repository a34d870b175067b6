/** The door of the coordinator's room. */
export { FederationConfig } from './config.ts';
export { runCoordinator } from './coordinator.ts';
export { launchCoordinator } from './launch.ts';
export type { Outcome } from './run.ts';
export { listen } from './server.ts';
export type { Observer } from './state.ts';
export { prepareDirectory } from './store/files.ts';
