import { describe, expect, test } from 'vitest';
import { openLedger } from '../../../client/ledger.ts';
import { storedMask, storedModel } from '../../../coordinator/checkpoint.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { layoutOf } from '../../../shared/model/layout.ts';
import type { Plan } from '../../../shared/protocol/plan.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import type { Sha256 } from '../../../shared/units.ts';
import { runTiny, type SiteFiles } from '../../support/a-run.ts';
import { figures, withPlans } from '../../support/heard-plans.ts';
import { refusalOf } from '../../support/temporary.ts';
import { aPruningRun, expectZeroWhere, opened, params, spec } from './pruned-run.ts';

/** Parameters that the plan of a round keeps. */
const keptIn = (reports: readonly RoundReport[], round: number): number =>
  reports[round - 1]?.pruning?.kept ?? params;

function maskOf({ pruning }: RoundReport): { readonly sha256: Sha256; readonly kept: number } {
  return { sha256: pruning!.maskSha256!, kept: pruning!.kept };
}

/** The bytes that a site released in each round are as many as the reports say, four less for each pruned parameter. */
async function expectUploads({ ledger }: SiteFiles, reports: readonly RoundReport[]): Promise<void> {
  const opened = await openLedger(ledger, { generator: 'seeded' });
  for (const { run, round, pruning } of reports) {
    const release = await opened.release(run, round);
    expect(release?.bytes.length).toBe(pruning!.uploadBytes);
    expect(pruning!.fullUploadBytes - pruning!.uploadBytes).toBe(4 * (params - keptIn(reports, round)));
  }
  await opened.close();
}

describe('a run that prunes', () => {
  // Under DP with RelaxLoss, as defences are combined.
  const relaxloss = { type: 'relaxloss', alpha: 0.5, parity: 'epoch' };
  const local = { epochs: 2, batchSize: 'all', learningRate: 0.5, defence: relaxloss };

  test('keeps what it prunes at zero, asks for the rest alone, and says what that saves', async () => {
    const plans = new Map<number, Plan>();
    const audit = { fraction: 0.6, referenceFraction: 0.1, canaries: { directions: 2 } };
    const run = aPruningRun({ local }, { client: { audit } });
    const { outcome, reports } = await runTiny({ ...run, between: withPlans(plans) });
    expect(outcome).toBe('finished');
    const { flags, parameters, moments, close } = await opened(run);
    // 24 of hidden and 12 of output weights; steps after rounds 0 and 2, since 4 leaves none to recover.
    expect(reports.map(({ pruning }) => pruning?.kept)).toEqual([31, 31, 22, 22, 22]);
    expect(reports.map(({ pruning }) => pruning?.step?.pruned)).toEqual([
      18,
      undefined,
      9,
      undefined,
      undefined,
    ]);
    for (const [round, report] of reports.entries()) {
      expectZeroWhere(flags(report), parameters(report.modelSha256));
      expect(plans.get(round)?.mask).toEqual(
        round === 0 ? undefined : expect.objectContaining(maskOf(reports[round - 1]!)),
      );
      expect(report.defences).toEqual([
        { type: 'relaxloss', class: 'per-user' },
        { type: 'sparsity-mask', class: 'per-user' },
        { type: 'pruning', class: 'server-side' },
      ]);
      expect(report.canaries?.status).toBe('measured');
    }
    for (const values of moments) expectZeroWhere(flags(reports[4]!), values);
    expectZeroWhere(flags(reports[0]!), flags(reports[2]!));
    await close();
    for (const site of run.sites) await expectUploads(site, reports);
  });

  test('costs the epsilon of a run that does not', async () => {
    const pruning = await runTiny(aPruningRun());
    const plain = await runTiny(aPruningRun({ pruning: undefined }));
    expect(pruning.reports.map(({ epsilon }) => epsilon)).toEqual(
      plain.reports.map(({ epsilon }) => epsilon),
    );
  });

  test('shows leakage and losses of the model before and after each step', async () => {
    const unprotected = { protection: { type: 'none' }, local: { ...local, epochs: 8 } };
    const { reports } = await runTiny(aPruningRun(unprotected, { policy: { allowUnprotected: true } }));
    for (const { pruning, audit, utility } of [reports[0]!, reports[2]!]) {
      const { before, after } = pruning!.step!;
      expect(after.user).toEqual(audit.user);
      expect(after.utility).toEqual(utility);
      for (const { memberLosses, heldOutLosses } of [before, after])
        for (const losses of [memberLosses, heldOutLosses])
          expect(losses).toEqual(losses.toSorted((a, b) => a - b));
      expect(before).not.toEqual(after);
    }
    const plain = await runTiny(
      aPruningRun({ ...unprotected, pruning: undefined, rounds: 1 }, { policy: { allowUnprotected: true } }),
    );
    const [unpruned] = plain.reports;
    const step = reports[0]!.pruning!.step!;
    expect(step.unprunedSha256).toBe(unpruned!.modelSha256);
    expect(step.before.user).toEqual(unpruned!.audit.user);
    expect(step.before.utility).toEqual(unpruned!.utility);
  });

  test('goes on after a restart as if there had been none', async () => {
    const { reports } = await runTiny(aPruningRun());
    const stopped = aPruningRun();
    const abort = new AbortController();
    const onReport = (): void => {
      abort.abort();
    };
    expect(await refusalOf(runTiny({ ...stopped, abort, onReport }))).toMatchObject({ code: 'INTERRUPTED' });
    expect(figures((await runTiny(stopped)).reports)).toEqual(figures(reports.slice(1)));
  });

  test('starts under a public mask where it is told to, and comes back to it after a restart', async () => {
    const pruning = { scope: 'per-tensor', biases: true, initialShare: 0.5 };
    const run = aPruningRun({ pruning, rounds: 2 });
    const abort = new AbortController();
    const onReport = (): void => {
      abort.abort();
    };
    expect(await refusalOf(runTiny({ ...run, abort, onReport }))).toMatchObject({ code: 'INTERRUPTED' });
    const plans = new Map<number, Plan>();
    const { reports } = await runTiny({ ...run, between: withPlans(plans) });
    const store = await openStore(run.directory);
    const { initialMaskSha256, initialModelSha256 } = (await store.manifest())!;
    const { mask } = storedMask(store, initialMaskSha256, spec)!;
    expect(
      layoutOf(spec).map(
        ({ offset, size }) => mask.flags.subarray(offset, offset + size).filter(Boolean).length,
      ),
    ).toEqual([12, 6, 6, 1]);
    for (const hash of [initialModelSha256, reports[0]!.modelSha256])
      expectZeroWhere(mask.flags, storedModel(store, hash, spec).parameters);
    expect(plans.get(1)?.mask).toMatchObject({ sha256: initialMaskSha256, kept: 25 });
    expect(reports[0]?.defences).toEqual([{ type: 'sparsity-mask', class: 'per-user' }]);
    await store.close();
  });
});
