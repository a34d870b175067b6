import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Audited } from '../../scenarios/audit/audited.ts';
import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import { at, known, tableOf, writeModels } from '../support/foreign-models.ts';
import { parleyDone } from '../support/processes.ts';

async function audit(...args: readonly string[]): Promise<Audited> {
  const { code, stdout, stderr } = await parleyDone('audit', ...args, ...known, '--out', at('out'), '--json');
  expect(code, stdout + stderr).toBe(0);
  return (JSON.parse(stdout) as { audit: Audited }).audit;
}

/** AUC of minus the mean loss, from tfjs' own predictions and by counting pairs. */
async function countedAuc(model: tf.LayersModel): Promise<number> {
  const [members, heldOut] = [await meanLosses(model, 'members'), await meanLosses(model, 'held-out')];
  let wins = 0;
  for (const member of members)
    for (const other of heldOut) wins += member < other ? 1 : member === other ? 0.5 : 0;
  return wins / (members.length * heldOut.length);
}

async function meanLosses(model: tf.LayersModel, role: string): Promise<number[]> {
  const { features, labels, userOffsets, userIds } = await tableOf(role);
  const output = (model.predict(tf.tensor2d(features, [labels.length, 26])) as tf.Tensor).dataSync();
  return userIds.map((_, user) => {
    const [start, end] = [userOffsets[user]!, userOffsets[user + 1]!];
    let sum = 0;
    for (let record = start; record < end; record++) sum -= Math.log(output[5 * record + labels[record]!]!);
    return sum / (end - start);
  });
}

function attackOf({ audit: { user, attacks } }: Audited, attack: string): AttackResult {
  return [user, ...attacks].find((result) => result.attack === attack)!;
}

let byHeart: tf.LayersModel;
beforeAll(async () => {
  byHeart = await writeModels();
});

const asSafetensors = (name: string): string[] => [at(`${name}.safetensors`), '--spec', at('spec.yaml')];
const withAll = ['--reference', at('reference.csv')];

describe('a model from elsewhere that learnt its members by heart', () => {
  test.each([
    ['safetensors', () => [...asSafetensors('by-heart'), '--initial', at('initial.safetensors'), ...withAll]],
    ['tfjs', () => [at('by-heart.json'), '--initial', at('initial.json'), ...withAll]],
  ])('is found out from its %s file', async (_, target) => {
    const found = await audit(...target());
    expect(found.audit.user.low).toBeGreaterThan(0.5);
    for (const attack of ['loss', 'confidence', 'margin', 'rmia', 'quantile', 'max-log-ratio'])
      expect(attackOf(found, attack).low, attack).toBeGreaterThan(0.5);
    const [members, heldOut] = [await tableOf('members'), await tableOf('held-out')];
    expect(found.audit).toMatchObject({ members: members.userIds.length, heldOut: heldOut.userIds.length });
    expect(attackOf(found, 'loss').auc).toBeCloseTo(await countedAuc(byHeart), 3);
    expect(found.caveats).toHaveLength(1);
    expect(found.privacy).toBe(null);
    expect(JSON.parse(readFileSync(at('out/audit.json'), 'utf8'))).toEqual(found);
    expect(readFileSync(at('out/audit.html'), 'utf8')).toContain('not chosen by a coin');
  });

  test('without reference users or an initial model is still found, and what is missing is said', async () => {
    const found = await audit(...asSafetensors('by-heart'));
    expect(found.audit.user.low).toBeGreaterThan(0.5);
    expect(found.caveats.at(-1)).toContain('No initial model');
    const missing = found.audit.notMeasured.map(({ attack }) => attack);
    expect(missing).toEqual(expect.arrayContaining(['rmia', 'quantile', 'fresh-mean-log-ratio']));
    expect(found.audit.reference).toBe(0);
  });
});

describe('a model that never saw the members', () => {
  test.each([
    [
      'safetensors',
      () => [...asSafetensors('strangers'), '--initial', at('initial.safetensors'), ...withAll],
    ],
    ['tfjs', () => [at('strangers.json'), '--initial', at('initial.json'), ...withAll]],
  ])('is not accused from its %s file', async (_, target) => {
    const found = await audit(...target());
    expect(found.audit.user.low).toBeLessThan(0.5);
    expect(found.audit.user.high).toBeGreaterThan(0.5);
    expect(found.audit.groups.filter((group) => group.status === 'tested' && group.rejected)).toEqual([]);
    expect(found.audit.vulnerable!.flagged).toBe(0);
  });
});
