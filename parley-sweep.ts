import type { Command } from 'commander';
import { integer, type Json, run } from './parley-command.ts';
import type { JobOptions, SweepOptions, WorkerOptions } from './scenarios/index.ts';

/**
 * The commands over many runs: sweeps of a grid, a worker for others' grids, the process of one job, which help does not show, and
 * comparisons of runs that are there already.
 */
export function addSweepCommands(program: Command): void {
  program
    .command('sweep')
    .description(
      'run every cell of a grid of scenarios with every seed, and compare utility and leakage (docs/sweeps.md)',
    )
    .argument('<grid>', 'grid file, such as scenarios/catalog/defences.yaml')
    .option(
      '--out <directory>',
      'where jobs and report go (default: runs/<grid>); what is done there is kept',
    )
    .option('--overwrite', 'start over when the directory holds an earlier sweep', false)
    .option('--jobs <number>', 'runs at once (default: number of cores)', integer)
    .option('--data-dir <directory>', 'where data sets lie (also: PARLEY_DATA)')
    .option('--redis <url>', 'let workers run the jobs, from a queue in this Redis server')
    .option('--lock-seconds <number>', 'with --redis: how often lost messages are made up for', integer)
    .option('--json', 'one JSON object a line instead of text')
    .action((grid: string, options: Json & SweepOptions) =>
      run(options, async (running) => {
        const { sweepCommand } = await import('./scenarios/index.ts');
        await sweepCommand(grid, options, running);
      }),
    );

  program
    .command('sweep-worker')
    .description('run jobs of sweeps on this machine, from the queue of `parley sweep --redis`, until Ctrl-C')
    .requiredOption('--redis <url>', 'Redis server of the queue, such as redis://127.0.0.1:6379')
    .option('--out <directory>', 'where runs lie while they are worked on (default: a temporary folder)')
    .option('--jobs <number>', 'runs at once (default: number of cores)', integer)
    .option('--data-dir <directory>', 'where data sets lie (also: PARLEY_DATA)')
    .option(
      '--lock-seconds <number>',
      'jobs of a worker that vanished go on elsewhere after so long',
      integer,
    )
    .option('--json', 'one JSON object a line instead of text')
    .action((options: Json & WorkerOptions) =>
      run(options, async (running) => {
        const { sweepWorkerCommand } = await import('./scenarios/index.ts');
        await sweepWorkerCommand(options, running);
      }),
    );
  addJobCommand(program);
  addCompareCommand(program);
}

function addCompareCommand(program: Command): void {
  program
    .command('compare')
    .description(
      'set finished runs side by side: utility against average leakage and that of those easiest to find (docs/sweeps.md)',
    )
    .argument(
      '<runs...>',
      'run directories, or directories of seeds; runs of one scenario count as its seeds',
    )
    .option('--out <directory>', 'where compare.html and compare.json go', 'runs/compare')
    .option('--json', 'one JSON object a line instead of text')
    .action((runs: string[], options: Json & { out: string }) =>
      run(options, async ({ terminal }) => {
        const { compareCommand } = await import('./scenarios/index.ts');
        compareCommand(runs, options.out, terminal);
      }),
    );
}

function addJobCommand(program: Command): void {
  program
    .command('sweep-job', { hidden: true })
    .description('the process of one job; started by the two commands above')
    .argument('<directory>')
    .requiredOption('--threads <number>', 'threads of the job', integer)
    .option('--data-dir <directory>')
    .option('--json')
    .action((directory: string, options: Json & JobOptions) =>
      run(options, async (running) => {
        const { jobCommand } = await import('./scenarios/index.ts');
        await jobCommand(directory, options, running);
      }),
    );
}
