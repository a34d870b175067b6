import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { readRun } from '../../scenarios/run-directory.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { aFederation } from '../support/a-federation.ts';
import { parley, parleyDone } from '../support/processes.ts';
import { audit, folder, refused, rounds, smallRun } from '../support/small-run.ts';

const shadowAttacks = ['lira-online-fixed', 'lira-online', 'lira-offline-fixed', 'lira-offline'];

/** When each of a run's shadows was begun. */
function shadowTimes(directory: string): number[] {
  return [1, 2, 3, 4, 5, 6].map(
    (shadow) => statSync(join(directory, 'shadows', String(shadow), 'scenario.json')).mtimeMs,
  );
}

let run: string;
let last: RoundReport;
beforeAll(async () => {
  run = await smallRun('small');
  last = readRun(run).reports.at(-1)!;
});

describe('parley audit of a run', () => {
  test('finds what the audit of the last round found, and writes it as JSON and HTML', async () => {
    const { audit: found, report } = await audit(run);
    expect(found.title).toBe(`small, run ${last.run}, model of round ${rounds}`);
    expect(found.privacy).toBe('simulation: not private');
    // All that looks at the same evidence without a coin of its own; permuted labels and the learned combiner draw anew.
    const { negativeControl, combined } = found.audit;
    const { audit: before } = last;
    const drawn = { negativeControl: before.negativeControl, combined: before.combined };
    expect({ ...found.audit, ...drawn }).toEqual(before);
    expect(negativeControl.passed).toBe(true);
    expect(combined!.evaluatedOn).toEqual(before.combined!.evaluatedOn);
    expect(JSON.parse(readFileSync(join(run, 'audit.json'), 'utf8'))).toEqual(found);
    expect(report).toBe(join(run, 'audit.html'));
    expect(readFileSync(report, 'utf8')).toContain(last.audit.user.auc.toFixed(3));
    expect([found.likelihoodRatios, found.redTeam]).toEqual([[], []]);
  });

  test('is the same when it is repeated, and goes where --out says', async () => {
    const out = join(folder, 'elsewhere', 'twice');
    const [once, twice] = [await audit(run), await audit(run, '--out', out)];
    expect(twice.audit).toEqual(once.audit);
    expect(twice.report).toBe(join(out, 'audit.html'));
    expect(existsSync(join(out, 'audit.json'))).toBe(true);
  });

  test('says it in words: every attack with its interval, what was not measured and why, and the stamp', async () => {
    const { code, stdout } = await parleyDone('audit', run);
    expect(code).toBe(0);
    for (const { attack } of last.audit.attacks)
      expect(stdout).toMatch(new RegExp(`^${attack} .*global models`, 'm'));
    for (const { attack } of last.audit.notMeasured) expect(stdout).toContain(`${attack}: not measured, `);
    const { user } = last.audit;
    expect(stdout).toMatch(
      new RegExp(
        `^${user.attack} \\(declared\\) .* ${user.auc.toFixed(3)}  \\[${user.low.toFixed(3)}, ${user.high.toFixed(3)}\\]`,
        'm',
      ),
    );
    expect(stdout).toContain('simulation: not private');
    expect(stdout).toContain('controls passed');
    expect(stdout).toContain(`report: ${join(run, 'audit.html')}`);
  });
});

describe('shadow federations', () => {
  test('give likelihood ratios, are read afterwards, and trained again when they were interrupted', async () => {
    const copy = join(folder, 'interrupted');
    cpSync(run, copy, { recursive: true, filter: (path) => !path.includes('shadows') });
    const { audit: found } = await audit(run, '--shadows', '6');
    expect(found.numShadows).toBe(6);
    expect(found.likelihoodRatios.map(({ attack }) => attack)).toEqual(shadowAttacks);
    for (const { low, high } of found.likelihoodRatios) expect(low).toBeLessThan(high);
    // The one with most information finds what attacks without shadows find.
    expect(Math.max(...found.likelihoodRatios.map(({ low }) => low))).toBeGreaterThan(0.5);
    for (const shadow of ['1', '6']) expect(existsSync(join(run, 'shadows', shadow, 'sites'))).toBe(false);

    const trained = shadowTimes(run);
    expect((await audit(run, '--shadows', '6')).audit).toEqual(found);
    expect(shadowTimes(run)).toEqual(trained);

    const killed = parley('audit', copy, '--shadows', '6', '--json');
    await new Promise<void>((seen) => {
      killed.child.stderr!.on('data', () => {
        if (killed.stderr().includes('shadow federation 3 of 6')) seen();
      });
    });
    expect(await killed.kill('SIGKILL')).toBe(null);
    expect(existsSync(join(copy, 'shadows', '3', 'finished'))).toBe(false);
    const first = statSync(join(copy, 'shadows', '1', 'scenario.json')).mtimeMs;
    // An interruption can come at any moment; this one left the database and the rounds of other coins, but not the mark.
    const half = join(copy, 'shadows', '3');
    rmSync(half, { recursive: true, force: true });
    cpSync(join(run, 'shadows', '5'), half, { recursive: true });
    rmSync(join(half, 'finished'));
    expect((await audit(copy, '--shadows', '6')).audit).toEqual(found);
    expect(shadowTimes(copy)[0]).toBe(first);
  });

  test('stop with the command, and go on with it', async () => {
    const copy = join(folder, 'stopped');
    cpSync(run, copy, { recursive: true, filter: (path) => !/shadows|audit\.json/.test(path) });
    const stopped = parley('audit', copy, '--shadows', '4', '--json');
    await new Promise<void>((seen) => {
      stopped.child.stderr!.on('data', () => {
        if (stopped.stderr().includes('shadow federation 2 of 4')) seen();
      });
    });
    expect(await stopped.kill('SIGINT')).toBe(130);
    expect(stopped.lines.at(-1)).toContain('INTERRUPTED');
    expect(existsSync(join(copy, 'audit.json'))).toBe(false);
    expect((await audit(copy, '--shadows', '4')).audit.likelihoodRatios).toHaveLength(4);
  });
});

describe('red-team roles', () => {
  test('attack from where they stand, each on the users that it says', async () => {
    const { audit: found } = await audit(run, '--red-team');
    const roles = (role: string): string[] =>
      found.redTeam.filter((row) => row.role === role).map(({ attack }) => attack);
    expect(roles('a site')).toEqual(expect.arrayContaining(['mean-log-ratio', 'rmia']));
    expect(roles('coordinator, every update')).toEqual([
      'fed-mia-cosine',
      'fed-mia-loss',
      'mean-cosine',
      'loss-series',
    ]);
    expect(roles('coordinator, sums only')).toEqual(['mean-cosine', 'loss-series']);
    expect(roles('active coordinator')).toEqual(['gradient-ascent', 'no ascent']);
    for (const { members, heldOut, low, auc, high } of found.redTeam) {
      expect(Math.min(members, heldOut)).toBeGreaterThan(0);
      expect(members).toBeLessThanOrEqual(last.audit.members);
      expect(low <= auc && auc <= high).toBe(true);
    }
    const every = found.redTeam.find(({ attack }) => attack === 'fed-mia-cosine')!;
    expect([every.members, every.heldOut]).toEqual([last.audit.members, last.audit.heldOut]);
    expect(found.caveats).toEqual([]);
    expect(readFileSync(join(run, 'audit.html'), 'utf8')).toContain('coordinator, sums only');
  });

  test('of two sites leave FedMIA out, and say so', async () => {
    const { audit: found } = await audit(await smallRun('two', { sites: 2 }), '--red-team');
    const attacks = found.redTeam.map(({ attack }) => attack);
    expect(attacks).toEqual(expect.arrayContaining(['mean-cosine', 'gradient-ascent']));
    expect(attacks).not.toContain('fed-mia-cosine');
    expect(found.caveats).toEqual(['FedMIA is not measured: it needs 3 sites, and the run has 2.']);
  });

  test('need the releases, and say how to get them', async () => {
    const directory = await smallRun('forgetful', { policy: 'keepReleases: unsettled' });
    const { exit, code, message } = await refused(directory, '--red-team');
    expect([exit, code]).toEqual([2, 'CONFIG_INVALID']);
    expect(message).toMatch(/forgetful-run.*client\.yaml.*`keepReleases: all`.*simulate again/);
  });
});

describe('what cannot be audited is refused before anything takes its time', () => {
  test('a target that is not there, and a directory without a run', async () => {
    const nowhere = join(folder, 'nowhere');
    expect(await refused(nowhere)).toMatchObject({ exit: 2, code: 'FILE_NOT_FOUND' });
    const { code, message } = await refused(mkdtempSync(join(folder, 'empty-')));
    expect(code).toBe('RUN_NOT_FOUND');
    expect(message).toMatch(/empty-.*holds no finished round.*--out/);
  });

  test('options for the other kind of target', async () => {
    const { exit, code, message } = await refused(run, '--schema', 'a.yaml', '--held-out', 'b.csv');
    expect([exit, code]).toEqual([2, 'CONFIG_INVALID']);
    expect(message).toMatch(/^--schema, --held-out: .*directory/);
  });

  test('too few shadows for a likelihood ratio', async () => {
    const { exit, code, message } = await refused(run, '--shadows', '3');
    expect([exit, code]).toEqual([2, 'CONFIG_INVALID']);
    expect(message).toMatch(/--shadows 3.*at least 4/);
  });

  test('shadows of a run that has not come to its end', async () => {
    const early = join(folder, 'early');
    cpSync(run, early, { recursive: true, filter: (path) => !path.includes('shadows') });
    const scenario = JSON.parse(readFileSync(join(early, 'scenario.json'), 'utf8')) as {
      federation: Record<string, unknown>;
    };
    scenario.federation['rounds'] = rounds + 4;
    writeFileSync(join(early, 'scenario.json'), JSON.stringify(scenario));
    const { code, message } = await refused(early, '--shadows', '4');
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toMatch(/early has 3 of 7 rounds.*--rounds/);
  });

  test('shadows or roles without a scenario', async () => {
    const bare = join(folder, 'bare');
    cpSync(run, bare, { recursive: true, filter: (path) => !/shadows|scenario\.json/.test(path) });
    for (const option of [['--shadows', '4'], ['--red-team']]) {
      const { exit, code, message } = await refused(bare, ...option);
      expect([exit, code]).toEqual([6, 'RUN_NOT_FOUND']);
      expect(message).toMatch(/scenario\.json.*parley simulate/);
    }
  });

  test('a place that cannot be written to', async () => {
    const file = join(folder, 'a-file');
    writeFileSync(file, '');
    const { exit, code, message } = await refused(run, '--out', join(file, 'x'));
    expect([exit, code]).toEqual([7, 'DIRECTORY_UNWRITABLE']);
    expect(message).toMatch(/a-file.*--out/);
  });

  test('shadows of a real run, whose audit alone is possible', async () => {
    const files = await aFederation({ federation: { rounds: 1 } });
    const coordinator = parley('coordinator', files.coordinator, '--json');
    const clients = files.sites.map(({ config }) => parley('client', config, '--json'));
    expect(await coordinator.exited, coordinator.stderr()).toBe(0);
    await Promise.all(clients.map(({ exited }) => exited));
    const real = files.directory;
    const { audit: found } = await audit(real);
    expect(found.audit.user).toEqual(readRun(real).reports.at(-1)!.audit.user);
    expect(found.privacy).toBe('private');
    const { code, message } = await refused(real, '--shadows', '4');
    expect(code).toBe('CONFIG_INVALID');
    expect(message).toMatch(/is a real run.*--shadows/);
    expect(await refused(real, '--red-team')).toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
