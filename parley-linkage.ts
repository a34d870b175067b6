import type { Command } from 'commander';
import { type Json, run } from './parley-command.ts';

/** `parley linkage`: key, pseudonyms and weights of sites that share users. */
export function addLinkageCommands(program: Command): void {
  const linkage = program
    .command('linkage')
    .description(
      'protect a person known to several sites once in all (docs/linkage.md); nothing of it is for the coordinator',
    );
  linkage
    .command('key')
    .description('make the key that the linked sites share')
    .argument('<file>', 'where to write the key; never overwritten')
    .option('--json', 'one JSON object instead of text')
    .action((file: string, options: Json) =>
      run(options, async ({ terminal }) => {
        const { createLinkageKey } = await import('./client/index.ts');
        const { secureRng } = await import('./shared/random/rng.ts');
        const { keyCheck } = createLinkageKey(file, secureRng());
        terminal.say(`key check ${keyCheck}`);
        terminal.emit({ keyCheck });
      }),
    );
  linkage
    .command('pseudonyms')
    .description("write the list of a site's users under their pseudonyms")
    .argument('<config>', 'site configuration file')
    .requiredOption('--out <file>', 'where to write the list')
    .option('--json', 'one JSON object instead of text')
    .action((config: string, options: Json & { out: string }) =>
      run(options, async ({ terminal }) => {
        const { writePseudonyms } = await import('./client/index.ts');
        const { site, keyCheck } = await writePseudonyms(config, options.out);
        terminal.say(`${options.out}: users of ${site}, key check ${keyCheck}`);
        terminal.emit({ site, keyCheck, file: options.out });
      }),
    );
  linkage
    .command('weights')
    .description('from the lists of all linked sites, write a table of weights for each of them')
    .argument('<files...>', 'one list of pseudonyms from each site')
    .requiredOption('--out <directory>', 'where to write <site>.json for each site')
    .option('--json', 'one JSON object instead of text')
    .action((lists: string[], options: Json & { out: string }) =>
      run(options, async ({ terminal }) => {
        const { writeWeights } = await import('./client/index.ts');
        const { linkage: id, files } = writeWeights(lists, options.out);
        terminal.say(`linkage ${id}\n${files.join('\n')}`);
        terminal.emit({ linkage: id, files });
      }),
    );
}
