import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Assessment, assess, findingsOf } from '../../scenarios/assess/assess.ts';
import { type AssessOptions, assessCommand } from '../../scenarios/assess/assess-command.ts';
import { type Figure, type Finding, figuresOf } from '../../scenarios/assess/finding.ts';
import { gatherRun } from '../../scenarios/assess/gather.ts';
import type { QuestionId, SectionId } from '../../scenarios/assess/questions.ts';
import { auditCommand } from '../../scenarios/audit/audit-command.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import type { Terminal } from '../../scenarios/terminal.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { at, schema, writeModels } from '../support/foreign-models.ts';
import { parleyDone } from '../support/processes.ts';
import { simulated } from '../support/simulated.ts';

/** Fewer rounds than the catalogue has; pairs of columns are left out for time. */
function shorter(rounds: number): (scenario: Scenario) => Scenario {
  return ({ federation, ...scenario }) => ({
    ...scenario,
    federation: { ...federation, rounds, audit: { ...federation.audit, pairs: false } },
  });
}

interface Assessed {
  readonly directory: string;
  readonly last: RoundReport;
  readonly assessment: Assessment;
}

/** Three tiny hospitals for three rounds, whose releases are kept. */
function small(scenario: Scenario): Scenario {
  const { data, ...rest } = shorter(3)(scenario);
  return {
    ...rest,
    data: data.type === 'synthetic-hospitals' ? { ...data, sites: 3, usersPerSite: 40 } : data,
    sites: { ...rest.sites, audit: { ...rest.sites.audit, referenceFraction: 0.2 } },
  };
}

const folder = mkdtempSync(join(tmpdir(), 'parley-assess-'));
const nothing = (): void => undefined;
const silent: Terminal = {
  ...{ say: nothing, emit: nothing, fail: nothing, end: nothing },
  ...{ stage: nothing, report: nothing, note: nothing },
};

async function assessed(name: string, rounds: number): Promise<Assessed> {
  const { directory, reports } = await simulated(name, 1, shorter(rounds));
  return { directory, last: reports.at(-1)!, assessment: assess(await gatherRun(directory, [])) };
}

function answer(assessment: Assessment, question: QuestionId): Finding {
  return findingsOf(assessment).find((finding) => finding.question === question)!;
}

function figureOf(assessment: Assessment, question: QuestionId, what: RegExp): Figure {
  return figuresOf(answer(assessment, question)).find((figure) => what.test(figure.what))!;
}

function concluded({ sections }: Assessment, section: SectionId): string {
  return sections.find(({ id }) => id === section)!.conclusion;
}

let [leaky, relaxloss, userDp]: Assessed[] = [];
beforeAll(async () => {
  leaky = await assessed('leaky', 12);
  relaxloss = await assessed('mislabelled-relaxloss', 30);
  userDp = await assessed('mislabelled-user-dp', 10);
});

describe('what it must show: three runs, three different reports, each true', () => {
  test('leaky: members are found, it is overfitted, nothing is promised', () => {
    const { assessment, last } = leaky!;
    const { auc, low, high } = last.audit.user;
    const declared = figureOf(assessment, 'declared-attack', /^AUC of mean-log-ratio over/);
    expect([declared.value, declared.low, declared.high]).toEqual([auc, low, high]);
    expect(low).toBeGreaterThan(0.5);
    expect(concluded(assessment, 'leakage')).toMatch(
      /^Members are found: mean-log-ratio reaches AUC 0\.\d{3}/,
    );
    expect(figureOf(assessment, 'loss-gap', /less that of members/).low).toBeGreaterThan(0.2);
    expect(figureOf(assessment, 'accuracy-gap', /less that on held-out/).low).toBeGreaterThan(0.1);
    const before = figureOf(assessment, 'loss-gap', /before training/);
    expect(before.low! < 0 && before.high! > 0).toBe(true);
    expect(figureOf(assessment, 'calibration', /on held-out users$/).low).toBeGreaterThan(0.1);
    expect(concluded(assessment, 'guarantee')).toBe('None: nothing is promised to anybody.');
    expect(concluded(assessment, 'defences')).toMatch(/No empirical defence.*nothing protects a user/);
    expect(figureOf(assessment, 'subpopulations', /^groups that leak/).value).toBe(
      last.audit.groups.filter((group) => group.status === 'tested' && group.rejected).length,
    );
    expect(answer(assessment, 'mislabelled-canaries').status).toBe('not-measured');
    expect(answer(assessment, 'effect-of-defences').status).toBe('not-applicable');
  });

  test('RelaxLoss: the average is at chance, those easiest to find are not, nothing is promised', () => {
    const { assessment } = relaxloss!;
    expect(concluded(assessment, 'leakage')).toMatch(/^Nothing found on average: .* That is no proof/);
    expect(figureOf(assessment, 'strongest-attack', /strongest of/).low).toBeLessThan(0.5);
    expect(concluded(assessment, 'defences')).toMatch(/^relaxloss: may claim a smaller average only/);
    expect(answer(assessment, 'defences-in-use').answer).toContain('relaxloss (per-user): ');
    expect(figureOf(assessment, 'average-and-vulnerable', /^canaries.*AUC/).low).toBeGreaterThan(0.5);
    expect(answer(assessment, 'average-and-vulnerable').answer).toMatch(
      /^No: the average is at chance, but canaries/,
    );
    expect(concluded(assessment, 'slices')).toContain('users easiest to find are exposed');
    expect(concluded(assessment, 'guarantee')).toBe('None: nothing is promised to anybody.');
    expect(answer(assessment, 'effect-of-defences').status).toBe('not-measured');
  });

  test('user-level privacy: epsilon in both views, nothing found, and the simulation does not keep it', () => {
    const { assessment, last } = userDp!;
    expect(concluded(assessment, 'leakage')).toMatch(/^Nothing found on average: /);
    expect(concluded(assessment, 'slices')).toMatch(/none of .* leaks.*not found beyond chance/i);
    for (const view of ['coordinator', 'recipients'] as const)
      expect(figureOf(assessment, `epsilon-${view}`, /upper bound by PLD/).value).toBe(last.epsilon[view]);
    expect(answer(assessment, 'epsilon-coordinator').answer).toMatch(/one user, added or removed/);
    expect(concluded(assessment, 'guarantee')).toMatch(
      /epsilon at most 3\.00 against the coordinator and 1\.\d\d against model recipients at delta 1e-6.*SIMULATION: NOT PRIVATE/,
    );
    expect(answer(assessment, 'promise-of-this-run').answer).toMatch(/^NO\. SIMULATION/);
    expect(answer(assessment, 'epsilon-proven').status).toBe('not-measured');
    expect(concluded(assessment, 'defences')).toMatch(/clipping and noise protect each user/);
  });

  test('no two of them conclude the same where the runs differ', () => {
    const all = [leaky!, relaxloss!, userDp!].map(({ assessment }) => assessment);
    for (const section of ['leakage', 'overfitting', 'defences', 'outputs', 'slices'] as const)
      expect(new Set(all.map((own) => concluded(own, section))).size, section).toBe(3);
    expect(new Set(all.map((own) => concluded(own, 'guarantee'))).size).toBe(2);
  });
});

/** The command in this process: what it would print with `--json`. */
async function command(
  target: string,
  options: AssessOptions = {},
): Promise<{ assessment: Assessment; report: string }> {
  const emitted: unknown[] = [];
  const terminal = { ...silent, emit: (value: unknown) => emitted.push(value) };
  await assessCommand(target, options, terminal);
  return JSON.parse(JSON.stringify(emitted[0])) as { assessment: Assessment; report: string };
}

describe('the command', () => {
  test('writes JSON and a page into the run directory, and says the same in words', async () => {
    const { directory, assessment } = leaky!;
    const { code, stdout, stderr } = await parleyDone('assess', directory);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/questions have no measurement[\s\S]*There is no score/);
    expect(stdout).toContain(`report: ${join(directory, 'assess.html')}`);
    expect(readFileSync(join(directory, 'assess.html'), 'utf8')).toContain(concluded(assessment, 'leakage'));
    const written: unknown = JSON.parse(readFileSync(join(directory, 'assess.json'), 'utf8'));
    expect(written).toEqual(JSON.parse(JSON.stringify(assessment)));
    const out = join(folder, 'elsewhere');
    expect(await command(directory, { out })).toEqual({
      assessment: written,
      report: join(out, 'assess.html'),
    });
  });

  test('reads what parley audit found about the same model, and forgets it when the model is another', async () => {
    const { directory: run } = await simulated('leaky', 1, small);
    const running = { terminal: silent, signal: new AbortController().signal };
    await auditCommand(run, { shadows: 4, redTeam: true }, running);
    const found = assess(await gatherRun(run, []));
    expect(figureOf(found, 'shadow-federations', /lira/).source).toBe('audit.json');
    expect(figuresOf(answer(found, 'stronger-parties')).length).toBeGreaterThan(2);
    const file = join(run, 'audit.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('model of round 3', 'model of round 2'));
    for (const question of ['shadow-federations', 'stronger-parties'] as const)
      expect(answer(assess(await gatherRun(run, [])), question).status).toBe('not-measured');
  });

  test('compares with a run of another model, and says what else differs', async () => {
    const { directory } = leaky!;
    const other = await simulated('leaky', 1, (scenario) => {
      const { federation, ...rest } = shorter(3)(scenario);
      return { ...rest, federation: { ...federation, model: { ...federation.model, layers: [] } } };
    });
    const found = assess(await gatherRun(directory, [other.directory, relaxloss!.directory]));
    const finding = answer(found, 'other-model-class');
    expect(finding.status).toBe('measured');
    expect(finding.answer).toContain('has 135 parameters, this run 4,101');
    expect(finding.answer).toMatch(/the AUC of mean-log-ratio is higher here than in/);
    expect(finding.missing.join('\n')).toMatch(/differs also in rounds$/m);
    // RelaxLoss has the same model: it is no other class.
    expect(figuresOf(finding).some(({ what }) => what.startsWith(relaxloss!.directory))).toBe(false);
    const undefended = assess(await gatherRun(relaxloss!.directory, [directory]));
    const effect = answer(undefended, 'effect-of-defences');
    expect(effect.answer).toMatch(/AUC of mean-log-ratio is lower here than in/);
    expect(effect.missing.join('\n')).toMatch(/differs also in rounds, sites\.audit/);
  });

  test('of a run of real sites or without signals says what cannot be known, and never offers what does not work', async () => {
    const bare = join(folder, 'bare');
    cpSync(leaky!.directory, bare, { recursive: true });
    for (const file of ['scenario.json', 'coordinator.sqlite']) rmSync(join(bare, file));
    const found = assess(await gatherRun(bare, []));
    for (const question of ['loss-gap', 'accuracy-gap', 'gap-over-rounds', 'calibration'] as const)
      expect(answer(found, question).status).toBe('not-measured');
    expect(answer(found, 'declared-attack').status).toBe('measured');
    const commands = findingsOf(found).flatMap(({ next }) => next.map(({ command = '' }) => command));
    expect(commands.filter((command) => /--shadows|--red-team|scenario\.json/.test(command))).toEqual([]);
  });

  test('refuses what is not there, options of the other kind, and a place that cannot be written to', async () => {
    const { directory } = leaky!;
    const nowhere = join(folder, 'nowhere');
    await expect(command(nowhere)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(command(dirname(directory))).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
    await expect(command(directory, { schema: 'a.yaml' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/^--schema: only a model file/) as string,
    });
    const out = join(directory, 'manifest.json', 'x');
    await expect(command(directory, { out })).rejects.toMatchObject({ code: 'DIRECTORY_UNWRITABLE' });
  });
});

describe('a model file', () => {
  test('of a run is known by its size only, and says where more is', async () => {
    const { directory, last } = userDp!;
    const file = join(directory, 'models', `${last.modelSha256}.safetensors`);
    const { assessment } = await command(file, { out: join(folder, 'file') });
    expect(assessment.caveats.join()).toContain(directory);
    expect(findingsOf(assessment).filter(({ status }) => status === 'measured')).toEqual([]);
    expect(figureOf(assessment, 'capacity', /^parameters$/).value).toBe(4101);
    expect(concluded(assessment, 'guarantee')).toBe('None is known: a model file carries no promise.');
  });

  test('with users whose membership is known is attacked, and its gap is measured', async () => {
    await writeModels();
    const file = at('by-heart.safetensors');
    const spec = { spec: at('spec.yaml'), out: at('out') };
    const tables = { schema, members: at('members.csv'), heldOut: at('held-out.csv') };
    const { assessment } = await command(file, { ...spec, ...tables });
    expect(concluded(assessment, 'leakage')).toMatch(/^Members are found/);
    expect(figureOf(assessment, 'loss-gap', /less that of members/).low).toBeGreaterThan(0);
    expect(answer(assessment, 'gap-over-rounds').status).toBe('not-measured');
    expect(answer(assessment, 'controls').missing.join()).toContain('not chosen by a coin');
    for (const wrong of [{ schema }, { against: [leaky!.directory] }])
      await expect(command(file, { ...spec, ...wrong })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
