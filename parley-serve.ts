import { once } from 'node:events';
import type { Command } from 'commander';
import { type Json, run } from './parley-command.ts';

/** The commands of whoever lets others ask a finished model. */
export function addServeCommands(program: Command): void {
  program
    .command('serve')
    .description(
      'answer predictions of a finished model with hardened outputs, and watch who asks (docs/serving.md)',
    )
    .argument('<model>', 'safetensors file, or run directory: then its newest model')
    .requiredOption('--config <file>', 'configuration of the server: callers, hardening, budgets, monitor')
    .option('--json', 'one JSON object a line instead of text')
    .action((model: string, options: Json & { config: string }) =>
      run(options, async ({ terminal, signal }) => {
        const { launchServe } = await import('./coordinator/index.ts');
        const { secureRng } = await import('./shared/random/rng.ts');
        const { note } = terminal;
        // The clock of the machine: budgets are by the day.
        const now = (): number => new Date().getTime();
        const served = await launchServe(model, options.config, { rng: secureRng(), now, note });
        const { host, port, modelSha256 } = served;
        terminal.say(`serving model ${modelSha256} on ${host}:${port}; stop with Ctrl-C`);
        terminal.emit({ serving: { host, port, modelSha256 } });
        if (!signal.aborted) await once(signal, 'abort');
        await served.close();
      }),
    );

  program
    .command('serve-key')
    .description(
      'make a key for a caller of `parley serve`: the key for the caller, its hash for the configuration',
    )
    .option('--json', 'one JSON object instead of text')
    .action((options: Json) =>
      run(options, async ({ terminal }) => {
        const { createCallerKey } = await import('./coordinator/index.ts');
        const { secureRng } = await import('./shared/random/rng.ts');
        const made = createCallerKey(secureRng());
        terminal.say(`key ${made.key}\nkeySha256 ${made.keySha256}`);
        terminal.emit(made);
      }),
    );
}
