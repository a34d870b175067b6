/** The door of the scenarios' room: simulation, reports and data sets, as the command uses them. */
export { type AssessOptions, assessCommand } from './assess/assess-command.ts';
export { type AuditCommandOptions, auditCommand } from './audit/audit-command.ts';
export { budgetCommand } from './budget.ts';
export type { BudgetOptions } from './budget-answer.ts';
export {
  assertNotStopped,
  finishRun,
  reportCommand,
  type SimulateOptions,
  simulateCommand,
} from './commands.ts';
export { compareCommand } from './compare.ts';
export { fetchCommand, listCommand } from './data/commands.ts';
export { type JobOptions, jobCommand } from './sweep/job-command.ts';
export { type SweepOptions, sweepCommand } from './sweep/sweep-command.ts';
export { sweepWorkerCommand, type WorkerOptions } from './sweep/worker-command.ts';
export { createTerminal, type Terminal } from './terminal.ts';
