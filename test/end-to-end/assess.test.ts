import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Assessment, assess, findingsOf } from '../../scenarios/assess/assess.ts';
import { type Figure, type Finding, figuresOf } from '../../scenarios/assess/finding.ts';
import { gatherRun } from '../../scenarios/assess/gather.ts';
import type { QuestionId, SectionId } from '../../scenarios/assess/questions.ts';
import type { Scenario } from '../../scenarios/scenario.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { at, known, writeModels } from '../support/foreign-models.ts';
import { parleyDone } from '../support/processes.ts';
import { simulated } from '../support/simulated.ts';
import { folder, smallRun } from '../support/small-run.ts';

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

describe('the command', () => {
  test('writes JSON and a page into the run directory, and says the same', async () => {
    const { directory, assessment } = leaky!;
    const { code, stdout, stderr } = await parleyDone('assess', directory, '--json');
    expect(code, stdout + stderr).toBe(0);
    const printed = JSON.parse(stdout) as { assessment: Assessment; report: string };
    expect(printed.assessment).toEqual(JSON.parse(JSON.stringify(assessment)));
    expect(printed.report).toBe(join(directory, 'assess.html'));
    expect(JSON.parse(readFileSync(join(directory, 'assess.json'), 'utf8'))).toEqual(printed.assessment);
    expect(readFileSync(printed.report, 'utf8')).toContain(concluded(assessment, 'leakage'));
    const out = join(folder, 'elsewhere');
    const text = await parleyDone('assess', directory, '--out', out);
    expect(text.stdout).toMatch(/questions have no measurement[\s\S]*There is no score/);
    expect(existsSync(join(out, 'assess.html'))).toBe(true);
  });

  test('reads what parley audit found about the same model, and forgets it when the model is another', async () => {
    const run = await smallRun('later');
    expect((await parleyDone('audit', run, '--shadows', '4', '--red-team')).code).toBe(0);
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
    const small = await simulated('leaky', 1, (scenario) => {
      const { federation, ...rest } = shorter(3)(scenario);
      return { ...rest, federation: { ...federation, model: { ...federation.model, layers: [] } } };
    });
    const found = assess(await gatherRun(directory, [small.directory, relaxloss!.directory]));
    const other = answer(found, 'other-model-class');
    expect(other.status).toBe('measured');
    expect(other.answer).toContain('has 135 parameters, this run 4,101');
    expect(other.answer).toMatch(/the AUC of mean-log-ratio is higher here than in/);
    expect(other.missing.join('\n')).toMatch(/differs also in rounds$/m);
    // RelaxLoss has the same model: it is no other class.
    expect(figuresOf(other).some(({ what }) => what.startsWith(relaxloss!.directory))).toBe(false);
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
    const refused = async (...args: readonly string[]): Promise<unknown> => {
      const { stdout } = await parleyDone('assess', ...args, '--json');
      return (JSON.parse(stdout) as { error: unknown }).error;
    };
    const nowhere = join(folder, 'nowhere');
    expect(await refused(nowhere)).toMatchObject({ code: 'FILE_NOT_FOUND' });
    expect(await refused(dirname(directory))).toMatchObject({ code: 'RUN_NOT_FOUND' });
    expect(await refused(directory, '--schema', 'a.yaml')).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await refused(directory, '--out', join(directory, 'manifest.json', 'x'))).toMatchObject({
      code: 'DIRECTORY_UNWRITABLE',
    });
  });
});

describe('a model file', () => {
  test('of a run is known by its size only, and says where more is', async () => {
    const { directory, last } = userDp!;
    const file = join(directory, 'models', `${last.modelSha256}.safetensors`);
    const { code, stdout, stderr } = await parleyDone(
      'assess',
      file,
      '--out',
      join(folder, 'file'),
      '--json',
    );
    expect(code, stdout + stderr).toBe(0);
    const { assessment } = JSON.parse(stdout) as { assessment: Assessment };
    expect(assessment.caveats.join()).toContain(directory);
    expect(findingsOf(assessment).filter(({ status }) => status === 'measured')).toEqual([]);
    expect(figureOf(assessment, 'capacity', /^parameters$/).value).toBe(4101);
    expect(concluded(assessment, 'guarantee')).toBe('None is known: a model file carries no promise.');
  });

  test('with users whose membership is known is attacked, and its gap is measured', async () => {
    await writeModels();
    const target = [at('by-heart.safetensors'), '--spec', at('spec.yaml')];
    const { code, stdout, stderr } = await parleyDone(
      'assess',
      ...target,
      ...known,
      '--out',
      at('out'),
      '--json',
    );
    expect(code, stdout + stderr).toBe(0);
    const { assessment } = JSON.parse(stdout) as { assessment: Assessment };
    expect(concluded(assessment, 'leakage')).toMatch(/^Members are found/);
    expect(figureOf(assessment, 'loss-gap', /less that of members/).low).toBeGreaterThan(0);
    expect(answer(assessment, 'gap-over-rounds').status).toBe('not-measured');
    expect(answer(assessment, 'controls').missing.join()).toContain('not chosen by a coin');
    const incomplete = await parleyDone('assess', ...target, '--schema', 'a.yaml', '--json');
    expect(JSON.parse(incomplete.stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
    const compared = await parleyDone('assess', ...target, '--against', leaky!.directory, '--json');
    expect(JSON.parse(compared.stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
  });
});
