import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { line, type Measurement, measured, type Part, row } from './part.ts';
import { parts } from './parts.ts';

const help = `npm run bench -- [options]

Measures this machine's Parley, part by part, each in a process of its own. Goals are for two quiet cores.

  --only <name,...>  these parts only
  --yardstick        the outside yardstick too, which needs Python (PARLEY_PYTHON, python3 when it is not set) with numpy
  --quick            tiny sizes in one process, to see that everything works; the figures mean nothing
  --dir <folder>     where runs are written; the system's folder for temporary files when left out
  --json             one JSON object a line for each figure: part, name, value, unit, better, goal, ratio
  --markdown         rows for the tables of docs/performance.md
  --help             this text

A ratio of 1 or more reaches the goal. Parts:

${parts.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n')}
`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    yardstick: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) process.stdout.write(help);
else process.exitCode = await runAll(chosen());

function chosen(): readonly Part[] {
  const { only, yardstick } = options;
  if (only === undefined) return parts.filter(({ name }) => yardstick || name !== 'yardstick');
  const names = only.split(',');
  const unknown = names.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length === 0) return parts.filter(({ name }) => names.includes(name));
  process.stderr.write(`no part is called ${unknown.join(', ')}: see --help\n`);
  process.exit(2);
}

async function runAll(wanted: readonly Part[]): Promise<number> {
  if (options.quick || wanted.length === 1) {
    for (const part of wanted) await runHere(part);
    return 0;
  }
  // A part's figures must not depend on the memory and the compiled code that others leave.
  let worst = 0;
  for (const { name } of wanted) worst = Math.max(worst, await runApart(name));
  return worst;
}

async function runHere(part: Part): Promise<void> {
  const directory = mkdtempSync(join(resolve(options.dir), 'parley-bench-'));
  if (!options.json) console.log(options.markdown ? heading(part) : `${part.name}: ${part.about}`);
  try {
    await part.run({
      quick: options.quick,
      directory,
      emit: (figure) => {
        console.log(text(measured(part.name, figure)));
      },
      note: (note) => {
        process.stderr.write(`${part.name}: ${note}\n`);
      },
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function heading({ name, about, how }: Part): string {
  return `\n### \`${name}\`\n\n${sentence(about)} ${how}\n\n| figure | measured | goal | ratio |\n|---|---|---|---|`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function text(measurement: Measurement): string {
  if (options.json) return JSON.stringify(measurement);
  return options.markdown ? row(measurement) : line(measurement);
}

async function runApart(name: string): Promise<number> {
  const flags = [...(options.json ? ['--json'] : []), ...(options.markdown ? ['--markdown'] : [])];
  const script = process.argv[1] ?? '';
  const args = [...process.execArgv, script, '--only', name, '--dir', options.dir, ...flags];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}
