import type { Command } from 'commander';
import { type Json, run, withModelOptions } from './parley-command.ts';
import type { AssessOptions } from './scenarios/index.ts';

/** The command that asks what is known of a model's privacy, and what is not. */
export function addAssessCommand(program: Command): void {
  withModelOptions(
    program
      .command('assess')
      .description(
        'the checklist on a run or a model: what was measured, what was not, what to do next (docs/assessing.md)',
      )
      .argument('<target>', 'run directory, safetensors file, or model.json of a tfjs LayersModel')
      .option(
        '--against <runs...>',
        'runs: others to compare with, of another model class or without the defence',
      ),
  )
    .option(
      '--out <directory>',
      'where assess.json and assess.html go (default: the run directory, or runs/assess)',
    )
    .option('--json', 'one JSON object instead of text')
    .action((target: string, options: Json & AssessOptions) =>
      run(options, async ({ terminal }) => {
        const { assessCommand } = await import('./scenarios/index.ts');
        await assessCommand(target, options, terminal);
      }),
    );
}
