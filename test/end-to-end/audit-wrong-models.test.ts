import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { LayersModel } from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { auditCommand } from '../../scenarios/audit/audit-command.ts';
import { createTerminal } from '../../scenarios/terminal.ts';
import { errorCodes, ParleyError } from '../../shared/errors.ts';
import { encodeTensors } from '../../shared/protocol/safetensors.ts';
import { at, known, schema, spec, tensorsOf, writeModels } from '../support/foreign-models.ts';
import { parleyDone } from '../support/processes.ts';
import { refusalOf } from '../support/temporary.ts';

interface Refused {
  readonly exit: number | null;
  readonly code: string;
  readonly message: string;
}

async function refusedByCommand(...args: readonly string[]): Promise<Refused> {
  const { code: exit, stdout } = await parleyDone('audit', ...args, '--out', at('out'), '--json');
  const { error } = JSON.parse(stdout.split('\n').at(-1) ?? '') as { error: Omit<Refused, 'exit'> };
  return { exit, ...error };
}

/** The same without a process, which takes seconds to start. */
async function refused(target: string, ...args: readonly string[]): Promise<Refused> {
  const options: Record<string, string> = { out: at('out') };
  for (let index = 0; index < args.length; index += 2)
    options[args[index]! === '--held-out' ? 'heldOut' : args[index]!.slice(2)] = args[index + 1]!;
  const terminal = createTerminal(process, true);
  const error = await refusalOf(
    auditCommand(target, options, { terminal, signal: new AbortController().signal }),
  );
  if (!(error instanceof ParleyError)) throw error;
  return { exit: errorCodes[error.code], code: error.code, message: error.message };
}

let byHeart: LayersModel;
beforeAll(async () => {
  byHeart = await writeModels();
});

/** A file with one thing wrong. */
function spoilt(name: string, content: string | Uint8Array): string {
  writeFileSync(at(name), content);
  return at(name);
}

describe('what is wrong is said: where, what was expected, what to do', () => {
  const model = at('by-heart.safetensors');
  const specified = ['--spec', at('spec.yaml')];

  test.each([
    [
      'no such model',
      [at('gone.safetensors'), ...known],
      'FILE_NOT_FOUND',
      /gone\.safetensors does not exist: expected a run directory/,
    ],
    [
      'no such initial model',
      [model, ...specified, ...known, '--initial', at('gone.json')],
      'FILE_NOT_FOUND',
      /gone\.json.*check the path/,
    ],
    [
      'no such specification',
      [model, ...known, '--spec', at('gone.yaml')],
      'FILE_NOT_FOUND',
      /gone\.yaml.*check the path/,
    ],
    [
      'no such table',
      [model, ...specified, ...known, '--reference', at('gone.csv')],
      'FILE_NOT_FOUND',
      /gone\.csv/,
    ],
    ['no tables', [model, ...specified], 'CONFIG_INVALID', /by-heart.*--schema, --members and --held-out/],
    [
      'one table',
      [model, ...specified, '--schema', schema, '--members', at('members.csv')],
      'CONFIG_INVALID',
      /--held-out/,
    ],
    [
      'no specification',
      [model, ...known],
      'CONFIG_INVALID',
      /by-heart\.safetensors does not say what model.*--spec/,
    ],
    [
      'options of runs',
      [model, ...specified, ...known, '--shadows', '4', '--red-team'],
      'CONFIG_INVALID',
      /^--shadows, --red-team: .*file/,
    ],
  ] as const)('%s', async (_, args, code, message) => {
    expect(await refusedByCommand(...args)).toMatchObject({
      exit: 2,
      code,
      message: expect.stringMatching(message) as unknown,
    });
  });

  test('a specification that is none, that does not fit together, or that is of another model', async () => {
    const other = spoilt('other.yaml', spec.replace('units: 64', 'units: 32'));
    const impossible = spoilt(
      'impossible.yaml',
      spec.replace('type: dense, units: 64, activation: relu', 'type: flatten'),
    );
    const none = spoilt('none.yaml', 'layers: many\n');
    expect(await refused(model, ...known, '--spec', other)).toMatchObject({
      ...{ exit: 2, code: 'MODEL_INVALID' },
      message: expect.stringMatching(
        /by-heart.*layers\.0\.kernel has F32 values of shape \(26, 64\).*\(26, 32\).*--spec/,
      ) as unknown,
    });
    expect(await refused(model, ...known, '--spec', impossible)).toMatchObject({
      ...{ exit: 2, code: 'MODEL_INVALID' },
      message: expect.stringMatching(/impossible\.yaml.*layer 0 \(flatten\)/) as unknown,
    });
    expect(await refused(model, ...known, '--spec', none)).toMatchObject({
      ...{ exit: 2, code: 'CONFIG_INVALID' },
      message: expect.stringMatching(/none\.yaml does not fit.*inputShape/) as unknown,
    });
  });

  test('tensors that lie the other way round, are missing, or belong to another model', async () => {
    const [kernel, ...others] = tensorsOf(byHeart);
    const transposed = spoilt(
      'transposed.safetensors',
      encodeTensors([{ ...kernel!, shape: [64, 26] }, ...others]),
    );
    expect((await refused(transposed, ...specified, ...known)).message).toMatch(
      /transposed.*layers\.0\.kernel.*\(64, 26\).*\(26, 64\).*transpose/,
    );
    const without = spoilt('without.safetensors', encodeTensors(others));
    expect((await refused(without, ...specified, ...known)).message).toMatch(
      /layers\.0\.kernel is missing.*The file has .*output\.bias/,
    );
    const extra = { ...kernel!, name: 'layers.1.kernel' };
    const more = spoilt('more.safetensors', encodeTensors([kernel!, ...others, extra]));
    expect((await refused(more, ...specified, ...known)).message).toMatch(
      /more\.safetensors.*no place for layers\.1\.kernel/,
    );
  });

  test('a damaged safetensors file', async () => {
    const bytes = readFileSync(model);
    for (const [name, part] of [
      ['short.safetensors', bytes.subarray(0, bytes.length - 100)],
      ['tiny.safetensors', bytes.subarray(0, 5)],
      ['text.safetensors', Buffer.from('this is no model at all, but some text')],
    ] as const) {
      const { exit, code, message } = await refused(spoilt(name, part), ...specified, ...known);
      expect([exit, code]).toEqual([2, 'MODEL_INVALID']);
      expect(message).toContain(name);
    }
  });

  test('a model that has diverged', async () => {
    const [kernel, ...others] = tensorsOf(byHeart);
    const nan = spoilt(
      'nan.safetensors',
      encodeTensors([
        { ...kernel!, data: new Float32Array(26 * 64).fill(NaN) } as typeof kernel & {},
        ...others,
      ]),
    );
    const { code, message } = await refused(nan, ...specified, ...known);
    expect(code).toBe('NON_FINITE');
    expect(message).toMatch(/nan\.safetensors.*record 0/);
  });

  test('a damaged or foreign tfjs model', async () => {
    const json = readFileSync(at('by-heart.json'), 'utf8');
    const weights = readFileSync(at('by-heart.bin'));
    const lost = spoilt('lost.json', json.replace('by-heart.bin', 'lost.bin'));
    expect(await refused(lost, ...known)).toMatchObject({
      exit: 2,
      code: 'FILE_NOT_FOUND',
      message: expect.stringContaining('lost.bin') as unknown,
    });
    spoilt('short.bin', weights.subarray(0, weights.length - 4));
    const short = spoilt('short.json', json.replace('by-heart.bin', 'short.bin'));
    expect((await refused(short, ...known)).message).toMatch(
      /short\.json: the weight files hold \d+ bytes.*same export/,
    );
    const foreign = spoilt(
      'foreign.json',
      JSON.stringify({ format: 'graph-model', modelTopology: {}, weightsManifest: [] }),
    );
    const { exit, code, message } = await refused(foreign, ...known);
    expect([exit, code]).toEqual([2, 'MODEL_INVALID']);
    expect(message).toMatch(/foreign\.json is no model\.json of a tfjs LayersModel.*Convert/s);
    const outside = spoilt('outside.json', json.replace('by-heart.bin', '../by-heart.bin'));
    expect((await refused(outside, ...known)).message).toContain('a file beside model.json');
  });

  test('a schema of other features or classes than the model', async () => {
    const readmission = resolve('scenarios/catalog/schemas/hospital-cohort.yaml');
    const tables = ['--schema', readmission, ...known.slice(2)];
    const targets = [refused(model, ...specified, ...tables), refused(at('by-heart.json'), ...tables)];
    for (const target of targets) {
      const { exit, code, message } = await target;
      expect([exit, code]).toEqual([2, 'MODEL_INVALID']);
      expect(message).toMatch(/by-heart.*26 features and tells 5 classes.*27 features and 2 classes.*schema/);
    }
  });

  test('a user in two tables', async () => {
    const members = readFileSync(at('members.csv'), 'utf8');
    const [, first = ''] = members.split('\n');
    const both = spoilt('both.csv', `${readFileSync(at('held-out.csv'), 'utf8')}${first}\n`);
    const tables = ['--schema', schema, '--members', at('members.csv'), '--held-out', both];
    const { code, message } = await refused(model, ...specified, ...tables);
    expect(code).toBe('DATA_VALUE_INVALID');
    expect(message).toMatch(
      new RegExp(`user ${first.split(',')[0]} stands in .*members\\.csv and in .*both\\.csv`),
    );
  });

  test('a table that the schema does not fit', async () => {
    const broken = spoilt(
      'broken.csv',
      readFileSync(at('held-out.csv'), 'utf8').replace('sodium', 'natrium'),
    );
    const tables = ['--schema', schema, '--members', at('members.csv'), '--held-out', broken];
    const { exit, code, message } = await refused(model, ...specified, ...tables);
    expect([exit, code]).toEqual([3, 'DATA_COLUMN_MISSING']);
    expect(message).toMatch(/broken\.csv.*sodium/);
  });
});
