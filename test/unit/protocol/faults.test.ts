import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { FederationConfig } from '../../../coordinator/config.ts';
import { loadConfig } from '../../../shared/config.ts';
import { faultsOf } from '../../../shared/faults.ts';

const Size = z.strictObject({
  sites: z.union([z.literal('all'), z.number().int()]),
  names: z.union([z.literal('all'), z.array(z.enum(['loss', 'margin']))]),
  form: z.union([
    z.strictObject({ wide: z.number() }),
    z.strictObject({ tall: z.strictObject({ by: z.number() }) }),
  ]),
});
const good = { sites: 'all', names: ['loss'], form: { wide: 1 } };

function faults(change: Readonly<Record<string, unknown>>): readonly string[] {
  const parsed = Size.safeParse({ ...good, ...change });
  return parsed.success ? [] : faultsOf(parsed.error, 'the whole');
}

describe('what does not fit a schema', () => {
  test('nothing, where all fits', () => {
    expect(faults({})).toEqual([]);
  });

  test('every choice is named where none comes closer than another', () => {
    expect(faults({ sites: 'some' })).toEqual([
      'sites: Invalid input: expected "all", or Invalid input: expected number, received string',
    ]);
  });

  test('the closest choice is named by the place that it fails at', () => {
    expect(faults({ names: ['loss', 'luck'] })).toEqual([
      'names.1: Invalid option: expected one of "loss"|"margin"',
    ]);
    expect(faults({ form: { tall: { by: 'far' } } })).toEqual([
      'form.tall.by: Invalid input: expected number, received string',
    ]);
  });

  test('a value that is none at all stands under its own name', () => {
    const parsed = Size.safeParse(7);
    expect(parsed.success ? [] : faultsOf(parsed.error, 'the whole')).toEqual([
      'the whole: Invalid input: expected object, received number',
    ]);
  });
});

test('an attack that does not exist is refused with those that do', () => {
  const text = `{name: a, rounds: 1, model: {inputShape: [2], output: {type: sigmoid}}, local: {epochs: 1, batchSize: all, learningRate: 1},
    protection: {type: none}, server: {type: fedavg}, audit: {attacks: [loss, luck]}}`;
  expect(() => loadConfig('a.yaml', FederationConfig, () => text, 'a page')).toThrow(
    /^a\.yaml does not fit: .*audit\.attacks\.1: Invalid option: expected one of .*"loss"/,
  );
});
