import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AuditCommandOptions, auditCommand } from '../../scenarios/audit/audit-command.ts';
import { type KnownPerson, peopleOfSimulation } from '../../scenarios/audit/through/known-people.ts';
import type { AuditedThrough } from '../../scenarios/audit/through/through-text.ts';
import { loadScenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import { SurrogateAttack } from '../../shared/model/hardening/surrogate.ts';
import { Seed } from '../../shared/units.ts';
import { parleyDone } from '../support/processes.ts';
import { callerKey, served, servedFiles, type TestServer } from '../support/served.ts';
import { refusalOf, temporaryFolder } from '../support/temporary.ts';

const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };
const folder = mkdtempSync(join(tmpdir(), 'parley-through-'));
const directory = join(folder, 'run');
const { signal } = new AbortController();
/** Nobody listens on the reserved port 1. */
const nowhere = 'http://127.0.0.1:1';
const keyFile = join(folder, 'key');
let people: readonly KnownPerson[] = [];

beforeAll(async () => {
  const { data, federation, ...scenario } = loadScenario('scenarios/catalog/leaky.yaml');
  await simulate({
    scenario: {
      ...scenario,
      data: { ...data, usersPerSite: 60 } as typeof data,
      federation: { ...federation, rounds: 8 },
    },
    ...{ seed: Seed.parse(1), directory, dataDirectories: [], inProcess: true, observer: silent },
    signal,
  });
  writeFileSync(keyFile, `${callerKey.key}\n`);
  people = await peopleOfSimulation(directory);
});

/** The run's newest model on a socket. */
function serving(change: Record<string, unknown>): Promise<TestServer> {
  const { config } = servedFiles(temporaryFolder(), { answer: [], monitor: {}, ...change });
  return served({ model: directory, config });
}

/** `parley audit` in this process, and what it emits. */
async function audit(options: AuditCommandOptions): Promise<AuditedThrough> {
  const emitted: unknown[] = [];
  const terminal = { ...silent, say: silent.note, fail: silent.note, end: silent.note };
  const running = { terminal: { ...terminal, emit: (value: unknown) => void emitted.push(value) }, signal };
  await auditCommand(directory, options, running);
  return (emitted[0] as { through: AuditedThrough }).through;
}

const audited = (url: string, more: AuditCommandOptions = {}): Promise<AuditedThrough> =>
  audit({ through: url, keyFile, ...more });

/** The same as a process of its own. */
async function asProcess(url: string, ...more: readonly string[]): Promise<AuditedThrough> {
  const args = ['--through', url, '--key-file', keyFile, '--json', ...more];
  const { code, stdout, stderr } = await parleyDone('audit', directory, ...args);
  expect(code, stdout + stderr).toBe(0);
  return (JSON.parse(stdout) as { through: AuditedThrough }).through;
}

const aucOf = ({ attacks }: AuditedThrough, name: string): number =>
  attacks.find(({ attack }) => attack === name)!.auc;

/** Whom the figures are of: those whose id has an odd first digit of its SHA-256. */
const attacked = (): KnownPerson[] =>
  people.filter(({ id }) => '13579bdf'.includes(createHash('sha256').update(id).digest('hex').charAt(0)));

/** AUC of the mean log-probability of the true class, by counting pairs. */
async function countedAuc(server: TestServer): Promise<number> {
  const scores = new Map<KnownPerson, number>();
  for (const person of attacked()) {
    const { body } = await server.ask(person.records);
    const logs = person.labels.map((label, record) =>
      Math.log(body.answers![record]!.probabilities![label]!),
    );
    scores.set(person, logs.reduce((a, b) => a + b, 0) / logs.length);
  }
  let wins = 0;
  const [members, others] = [true, false].map((is) => [...scores.keys()].filter((p) => p.isMember === is));
  for (const a of members!)
    for (const b of others!) wins += (Math.sign(scores.get(a)! - scores.get(b)!) + 1) / 2;
  return wins / (members!.length * others!.length);
}

describe('the auditor, as any caller,', () => {
  test('finds members by full probabilities, fewer by labels, and MemGuard keeps the labels', async () => {
    const full = await serving({});
    const surrogate = join(folder, 'surrogate.json');
    const byFull = await asProcess(full.url, '--surrogate', surrogate);
    expect(aucOf(byFull, 'confidence in the true class')).toBeCloseTo(await countedAuc(full), 9);
    expect(byFull.attacks[0]!.low).toBeGreaterThan(0.5);
    expect(byFull.members + byFull.heldOut).toBe(attacked().length);
    SurrogateAttack.parse(JSON.parse(readFileSync(surrogate, 'utf8')));
    const byLabel = await audited((await serving({ answer: [{ type: 'label-only' }] })).url, { copies: 2 });
    expect(aucOf(byLabel, 'confidence in the true class')).toBe(aucOf(byFull, 'correct label'));
    expect(aucOf(byLabel, 'largest confidence')).toBe(0.5);
    expect(byLabel.attacks.map(({ attack }) => attack)).toContain('label of perturbed copies');
    const guarded = await serving({ answer: [{ type: 'memguard', surrogateFile: surrogate }] });
    const byGuarded = await audited(guarded.url);
    expect(aucOf(byGuarded, 'correct label')).toBe(aucOf(byFull, 'correct label'));
    expect(aucOf(byGuarded, 'largest confidence')).not.toBe(aucOf(byFull, 'largest confidence'));
  });

  test('is blocked when it asks about everybody a third time, and the budget holds for it too', async () => {
    const strict = await serving({ monitor: { policy: { repeats: ['block'] } } });
    await audited(strict.url);
    await audited(strict.url);
    expect(await refusalOf(audited(strict.url))).toMatchObject({ code: 'CALLER_BLOCKED' });
    const poor = await serving({ budget: { total: 100 } });
    expect(await refusalOf(audited(poor.url))).toMatchObject({ code: 'QUERY_BUDGET_SPENT' });
  });

  test.each<[string, AuditCommandOptions, string]>([
    ['no key', { through: nowhere }, 'CONFIG_INVALID'],
    ['a key but no address', { keyFile }, 'CONFIG_INVALID'],
    ['options of other audits', { through: nowhere, keyFile, shadows: 2 }, 'CONFIG_INVALID'],
    ['a key in plain over the network', { through: 'http://192.0.2.1', keyFile }, 'INSECURE_URL'],
    ['nobody there', { through: nowhere, keyFile }, 'CONNECTION_LOST'],
  ])('is refused with %s', async (_, options, code) => {
    expect(await refusalOf(audit(options))).toMatchObject({ code });
  });

  test('takes the key as `parley serve-key` printed it, and tells nothing of a file that holds another secret', async () => {
    const wrong = join(temporaryFolder(), 'key');
    const refused = (): Promise<unknown> => refusalOf(audit({ through: nowhere, keyFile: wrong }));
    writeFileSync(wrong, `key ${callerKey.key}\nkeySha256 ${callerKey.keySha256}\n`);
    // It is asked with, though nobody is there.
    expect(await refused()).toMatchObject({ code: 'CONNECTION_LOST' });
    writeFileSync(wrong, 'hunter2\nsecond line');
    const args = ['--through', nowhere, '--key-file', wrong];
    const { code, stdout, stderr } = await parleyDone('audit', directory, ...args);
    expect(stdout + stderr).not.toMatch(/hunter2|second line|does not answer/);
    expect(code, stderr).toBe(2);
    expect(stderr).toContain(`CONFIG_INVALID: ${wrong}`);
    for (const content of ['', 'parley-hunter2', `${callerKey.key}\n${callerKey.key}`]) {
      writeFileSync(wrong, content);
      const message = expect.not.stringMatching(/hunter2|parley-\w{9}/) as string;
      expect(await refused()).toMatchObject({ code: 'CONFIG_INVALID', message });
    }
  });
});
