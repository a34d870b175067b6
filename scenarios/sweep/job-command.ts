import { join } from 'node:path';
import { ParleyError } from '../../shared/errors.ts';
import { dataDirectories } from '../data/data-directory.ts';
import { readRun, writeReport } from '../run-directory.ts';
import { loadScenario, type Scenario } from '../scenario.ts';
import { simulate } from '../simulate.ts';
import type { Terminal } from '../terminal.ts';
import { recordResult, runOf, scenarioOf, storedJob } from './job-directory.ts';
import { figuresOf, identityOf } from './result.ts';

/** What the process of a job is told beside its directory. */
export interface JobOptions {
  readonly dataDir?: string;
  /** Threads that a scenario which leaves their number open may use. */
  readonly threads: number;
}

/**
 * The process of one job: run or go on with the simulation in its directory, write its report, and mark it as done with its
 * figures. A run that stopped itself is done too. It ends when the process that started it has gone.
 *
 * @throws RUN_NOT_FOUND when the directory holds no job; INTERRUPTED; what a simulation throws.
 */
export async function jobCommand(
  directory: string,
  options: JobOptions,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const job = storedJob(directory);
  const [seed] = job?.scenario.seeds ?? [];
  if (job === undefined || seed === undefined)
    throw new ParleyError('RUN_NOT_FOUND', `${directory} holds no job of a sweep; start \`parley sweep\``);
  const outcome = await simulate({
    scenario: withThreads(loadScenario(scenarioOf(directory)), options.threads),
    seed,
    directory: runOf(directory),
    dataDirectories: dataDirectories(process.env, options.dataDir),
    inProcess: true,
    observer: terminal,
    signal: AbortSignal.any([signal, parentGone()]),
  });
  const run = readRun(runOf(directory));
  const figures = figuresOf(run);
  if (figures === undefined || (outcome.outcome !== 'finished' && outcome.outcome !== 'stopped'))
    throw new ParleyError('RUN_FAILED', `${outcome.outcome} without figures: ${outcome.detail}`);
  const report = writeReport(runOf(directory), run);
  const { outcome: how, detail } = outcome;
  recordResult(directory, { ...identityOf(job), status: 'done', outcome: how, detail, figures });
  terminal.emit({ result: join(directory, 'result.json'), report });
}

/** Jobs share the cores; the number of threads changes no figure. */
function withThreads(scenario: Scenario, threads: number): Scenario {
  const { trainer } = scenario.sites;
  const workers = trainer.workers === 'auto' && threads === 1 ? 1 : trainer.workers;
  return { ...scenario, sites: { ...scenario.sites, trainer: { ...trainer, workers } } };
}

/** Aborts when the process that started this one has ended, however it did: nobody waits for the result then. */
function parentGone(): AbortSignal {
  const gone = new AbortController();
  if (process.connected) {
    process.once('disconnect', () => {
      gone.abort();
    });
    // Listening would keep this process alive when its work is done.
    process.channel?.unref();
  }
  return gone.signal;
}
