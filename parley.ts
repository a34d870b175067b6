#!/usr/bin/env node
import { Command } from 'commander';
import { addAssessCommand } from './parley-assess.ts';
import { integer, type Json, real, run, runLine, withModelOptions } from './parley-command.ts';
import { addLinkageCommands } from './parley-linkage.ts';
import { addServeCommands } from './parley-serve.ts';
import { addSweepCommands } from './parley-sweep.ts';
import type { AuditCommandOptions, BudgetOptions, SimulateOptions } from './scenarios/index.ts';
import { ParleyError } from './shared/errors.ts';

/** The command: every subcommand belongs to a room and is loaded when it is asked for. */

const program = new Command('parley')
  .description('Train one model across sites that never share a record, and attack it after every round.')
  .exitOverride()
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 2 usage or configuration, 3 data, 4 privacy refusal, 5 wire and identity, 6 the run, 7 the machine, 70 a fault of ours, 130 interrupted. docs/errors.md has every code.',
  );

program
  .command('simulate')
  .description('run a scenario: a coordinator and one process for each site, over sockets on this machine')
  .argument('<scenario>', 'scenario file, such as scenarios/catalog/four-hospitals.yaml')
  .option(
    '--out <directory>',
    'run directory (default: runs/<scenario>); a run that it holds is gone on with',
  )
  .option('--overwrite', 'start over when the run directory holds an earlier run', false)
  .option('--seed <number>', "one run with this seed instead of the scenario's seeds", integer)
  .option('--rounds <number>', "another number of rounds than the scenario's", integer)
  .option('--data-dir <directory>', 'where data sets lie (also: PARLEY_DATA)')
  .option('--in-process', 'no sockets and no other processes; the same results', false)
  .option('--json', 'one JSON object a line instead of text')
  .action((scenario: string, options: Json & SimulateOptions) =>
    run(options, async (running) => {
      const { simulateCommand } = await import('./scenarios/index.ts');
      await simulateCommand(scenario, options, running);
    }),
  );

addSweepCommands(program);

program
  .command('coordinator')
  .description('lead a federation of real sites; started again it goes on from the last finished round')
  .argument('<config>', 'coordinator configuration file')
  .option('--json', 'one JSON object a line instead of text')
  .action((config: string, options: Json) =>
    run(options, async ({ terminal, signal }) => {
      const { assertNotStopped, finishRun } = await import('./scenarios/index.ts');
      const { launchCoordinator } = await import('./coordinator/index.ts');
      const { directory, outcome } = launchCoordinator(config, { observer: terminal, signal });
      const ended = await outcome;
      finishRun(directory, ended, terminal);
      assertNotStopped(ended);
    }),
  );

program
  .command('client')
  .description('be one site of a federation')
  .argument('<config>', 'site configuration file')
  .option('--json', 'one JSON object a line instead of text')
  .action((config: string, options: Json) =>
    run(options, async ({ terminal, signal }) => {
      const { launchClient } = await import('./client/index.ts');
      const farewell = await launchClient(config, { observer: terminal, signal });
      terminal.say(`${farewell.outcome}: ${farewell.detail}`);
      terminal.emit({ farewell });
      if (farewell.outcome === 'failed')
        throw new ParleyError('RUN_FAILED', `the coordinator gave the run up: ${farewell.detail}`);
    }),
  );

program
  .command('keys')
  .description('make a key pair on this machine and print the public key, to be given to the other side')
  .argument('<file>', 'where to write the key pair; never overwritten')
  .option('--json', 'one JSON object instead of text')
  .action((file: string, options: Json) =>
    run(options, async ({ terminal }) => {
      const { createIdentity } = await import('./client/index.ts');
      const { secureRng } = await import('./shared/random/rng.ts');
      const { publicKey } = createIdentity(file, secureRng());
      terminal.say(publicKey);
      terminal.emit({ publicKey });
    }),
  );

addLinkageCommands(program);

program
  .command('report')
  .description("write a run's report.html anew and print its summary")
  .argument('<directory>', 'run directory')
  .option('--json', 'one JSON object instead of text')
  .action((directory: string, options: Json) =>
    run(options, async ({ terminal }) => {
      const { reportCommand } = await import('./scenarios/index.ts');
      reportCommand(directory, terminal);
    }),
  );

withModelOptions(
  program
    .command('audit')
    .description('attack the newest model of a run, or a model from elsewhere whose members are known')
    .argument('<target>', 'run directory, safetensors file, or model.json of a tfjs LayersModel')
    .option(
      '--shadows <number>',
      'simulations: train so many shadow federations for likelihood ratios',
      integer,
    )
    .option('--red-team', 'simulations: also attack as parties that see more than global models'),
)
  .option('--through <url>', 'attack through `parley serve` there, as any caller could (docs/serving.md)')
  .option('--key-file <file>', 'with --through: file that holds the key of a caller')
  .option(
    '--copies <number>',
    'with --through: also ask about so many perturbed copies of each record',
    integer,
  )
  .option('--surrogate <file>', 'with --through: write the attack trained on answers there, for MemGuard')
  .option(
    '--out <directory>',
    'where audit.json and audit.html go (default: the run directory, or runs/audit)',
  )
  .option('--data-dir <directory>', 'where data sets lie (also: PARLEY_DATA)')
  .option('--json', 'one JSON object instead of text')
  .action((target: string, options: Json & AuditCommandOptions) =>
    run(options, async (running) => {
      const { auditCommand } = await import('./scenarios/index.ts');
      await auditCommand(target, options, running);
    }),
  );

addAssessCommand(program);
addServeCommands(program);

const ledger = program
  .command('ledger')
  .description("a site's own privacy ledger; also while its client runs");
for (const [what, description] of [
  ['verify', 'check every entry, every kept release and the mark'],
  ['show', 'the same, and runs, events, epsilon spent and left, and what it is for which users'],
] as const)
  ledger
    .command(what)
    .description(description)
    .argument('<config>', 'site configuration file')
    .option('--json', 'one JSON object instead of text')
    .action((config: string, options: Json) =>
      run(options, async ({ terminal }) => {
        const { ledgerCommand } = await import('./client/index.ts');
        const { json, lines } = await ledgerCommand(config, what);
        for (const line of lines) terminal.say(line);
        terminal.emit({ ledger: json });
      }),
    );

program
  .command('budget')
  .description('what a plan costs, or the one quantity of it that is left out (docs/budget.md)')
  .option('--noise-multiplier <number>', 'noise multiplier z of each release', real)
  .option('--sampling-rate <number>', 'probability of each user to take part in a round', real)
  .option('--rounds <number>', 'number of rounds', integer)
  .option('--epsilon <number>', 'epsilon to stay within, in nats', real)
  .option('--delta <number>', 'probability with which the promise may fail', real)
  .option('--sites <number>', 'number of sites: then also against model recipients', integer)
  .option('--answering-sites <number>', 'sites that answer each round (default: all)', integer)
  .option('--colluding <number>', 'of --sites, those that tell recipients their noise (default: 1)', real)
  .option('--site <config>', "instead: what a site's policy and ledger leave for such a plan")
  .option('--json', 'one JSON object instead of text')
  .action(({ json, ...options }: Json & BudgetOptions & { site?: string }) =>
    run({ ...(json !== undefined && { json }) }, async ({ terminal }) => {
      const { budgetCommand } = await import('./scenarios/index.ts');
      await budgetCommand(options, terminal);
    }),
  );

const data = program.command('data').description('the public data sets that scenarios use');
data
  .command('list')
  .option('--json', 'one JSON object instead of text')
  .action((options: Json) =>
    run(options, async ({ terminal }) => {
      const { listCommand } = await import('./scenarios/index.ts');
      listCommand(terminal);
    }),
  );
data
  .command('fetch')
  .argument('<name>', 'data set, as `parley data list` names it')
  .option('--data-dir <directory>', 'where to put it (default: the cache)')
  .option('--mirror <address>', "another address than the publisher's")
  .option('--json', 'one JSON object instead of text')
  .action((name: string, options: Json & { dataDir?: string; mirror?: string }) =>
    run(options, async ({ terminal }) => {
      const { fetchCommand } = await import('./scenarios/index.ts');
      await fetchCommand(name, options, terminal);
    }),
  );

await runLine(program);
