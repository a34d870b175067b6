import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLedger } from '../../../client/ledger.ts';
import { optimizerFrom, storedMask, storedModel } from '../../../coordinator/checkpoint.ts';
import { protectionOf } from '../../../coordinator/config.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { layoutOf, numParams } from '../../../shared/model/layout.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { Notice } from '../../../shared/protocol/messages.ts';
import { Plan } from '../../../shared/protocol/plan.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import type { Connect } from '../../../shared/protocol/transport.ts';
import type { Sha256 } from '../../../shared/units.ts';
import {
  aFederationConfig,
  publicShard,
  runTiny,
  type SiteChange,
  type SiteFiles,
  siteFiles,
  type TinyRun,
} from '../../support/a-run.ts';
import { figures } from '../../support/heard-plans.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const model = {
  inputShape: [2],
  layers: [{ type: 'dense', units: 12, activation: 'tanh' }],
  output: { type: 'sigmoid' },
};
const spec = ModelSpec.parse(model);
const params = numParams(spec);
const steps = { firstRound: 0, recoveryRounds: 2, share: 0.5 };

function aRun(change: Record<string, unknown> = {}, site: SiteChange = {}): TinyRun {
  const folder = temporaryFolder();
  return {
    directory: join(folder, 'run'),
    sites: ['east', 'north'].map((name) => siteFiles(folder, name, site)),
    federation: aFederationConfig({ model, rounds: 5, pruning: { steps }, ...change }),
  };
}

function withPlans(plans: Map<number, Plan>): NonNullable<TinyRun['between']> {
  return (_, connect): Connect =>
    (port) =>
      connect({
        ...port,
        notice: (message) => {
          const notice = Notice.parse(message);
          if (notice.type === 'plan') {
            const plan = Plan.parse(JSON.parse(notice.signed.body));
            plans.set(plan.round, plan);
          }
          port.notice(message);
        },
      });
}

interface Opened {
  readonly parameters: (hash: Sha256) => Float32Array;
  readonly flags: (report: RoundReport) => Uint8Array;
  readonly moments: readonly Float64Array[];
  readonly close: () => Promise<void>;
}

/** Parameters that the plan of a round keeps. */
const keptIn = (reports: readonly RoundReport[], round: number): number =>
  reports[round - 1]?.pruning?.kept ?? params;

async function opened(run: TinyRun): Promise<Opened> {
  const store = await openStore(run.directory);
  const { first, second } = optimizerFrom((await store.optimizer())!);
  return {
    parameters: (hash) => storedModel(store, hash, spec).parameters,
    flags: ({ pruning }) => storedMask(store, pruning?.maskSha256, spec)!.mask.flags,
    moments: [first, second],
    close: () => store.close(),
  };
}

function expectZeroWhere(flags: Uint8Array, values: ArrayLike<number>): void {
  for (const [i, flag] of flags.entries()) if (flag === 0) expect(values[i]).toBe(0);
}

function maskOf({ pruning }: RoundReport): { readonly sha256: Sha256; readonly kept: number } {
  return { sha256: pruning!.maskSha256!, kept: pruning!.kept };
}

/** The bytes that a site released in each round are as many as the reports say, four less for each pruned parameter. */
async function expectUploads({ ledger }: SiteFiles, reports: readonly RoundReport[]): Promise<void> {
  const opened = await openLedger(ledger);
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
    const run = aRun({ local }, { client: { audit } });
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
    const pruning = await runTiny(aRun());
    const plain = await runTiny(aRun({ pruning: undefined }));
    expect(pruning.reports.map(({ epsilon }) => epsilon)).toEqual(
      plain.reports.map(({ epsilon }) => epsilon),
    );
  });

  test('shows leakage and losses of the model before and after each step', async () => {
    const unprotected = { protection: { type: 'none' }, local: { ...local, epochs: 8 } };
    const { reports } = await runTiny(aRun(unprotected, { policy: { allowUnprotected: true } }));
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
      aRun({ ...unprotected, pruning: undefined, rounds: 1 }, { policy: { allowUnprotected: true } }),
    );
    const [unpruned] = plain.reports;
    const step = reports[0]!.pruning!.step!;
    expect(step.unprunedSha256).toBe(unpruned!.modelSha256);
    expect(step.before.user).toEqual(unpruned!.audit.user);
    expect(step.before.utility).toEqual(unpruned!.utility);
  });

  test('goes on after a restart as if there had been none', async () => {
    const { reports } = await runTiny(aRun());
    const stopped = aRun();
    const abort = new AbortController();
    const onReport = (): void => {
      abort.abort();
    };
    expect(await refusalOf(runTiny({ ...stopped, abort, onReport }))).toMatchObject({ code: 'INTERRUPTED' });
    expect(figures((await runTiny(stopped)).reports)).toEqual(figures(reports.slice(1)));
  });

  test('starts under a public mask where it is told to, and comes back to it after a restart', async () => {
    const pruning = { scope: 'per-tensor', biases: true, initialShare: 0.5 };
    const run = aRun({ pruning, rounds: 2 });
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

  test('is rolled back to an earlier version with the mask of that version', async () => {
    const leakage = [{ figure: 'user-auc', limit: 0, action: 'roll-back' }];
    const plans = new Map<number, Plan>();
    const run = aRun({ leakage, maxRollBacks: 1, rounds: 4 });
    const { reports } = await runTiny({ ...run, between: withPlans(plans) });
    expect(reports[0]?.pruning?.step?.pruned).toBe(18);
    expect(reports[0]?.rolledBackTo?.version).toBe(0);
    expect(plans.get(1)?.mask).toBeUndefined();
    expect(plans.get(1)?.model.sha256).toBe(plans.get(0)?.model.sha256);
    expect(reports[1]?.pruning).toMatchObject({ kept: params, sparsity: 0 });
  });

  test('prunes the average that it hands over too', async () => {
    const run = aRun({ averaging: { decay: 0.5 }, rounds: 4 });
    const { reports } = await runTiny(run);
    const { flags, parameters, close } = await opened(run);
    for (const report of reports) {
      expectZeroWhere(flags(report), parameters(report.modelSha256));
      expectZeroWhere(flags(report), parameters(report.iterateSha256!));
      expect(report.modelSha256 === report.iterateSha256).toBe(report.round === 0);
    }
    await close();
  });
});

test('prunes the student that it hands over too, which does not grow back', async () => {
  const run = aRun({ distillation: { learningRate: 0.5 }, rounds: 4 });
  const { reports } = await runTiny({ ...run, publicShard });
  const { flags, parameters, close } = await opened(run);
  for (const report of reports) expectZeroWhere(flags(report), parameters(report.modelSha256));
  expect(reports.at(-1)?.pruning?.sparsity).toBeGreaterThan(0.3);
  await close();
});

describe('pruning that would break a promise or do nothing is refused with the reason', () => {
  const banded = { type: 'user-dp-banded', clipNorm: 0.5, minSeparation: 2, delta: 1e-5, noiseMultiplier: 2 };
  test.each([
    [{ pruning: { steps }, protection: banded }, 'its noise is correlated over rounds'],
    [{ pruning: { steps: { ...steps, recoveryRounds: 5 } } }, 'no step would be taken'],
    [{ pruning: { steps, initialShare: 0.9 } }, 'no step would be taken'],
    [{ pruning: { steps, outputLayer: false }, model: { ...model, layers: [] } }, 'has nothing to prune'],
  ])('%j', (change, reason) => {
    const config = aFederationConfig({ model, rounds: 5, ...change });
    expect(() => protectionOf(config)).toThrow(reason);
  });

  test('and so is a plan with a mask under correlated noise, at the site', async () => {
    const plans = new Map<number, Plan>();
    await runTiny({
      ...aRun({ protection: banded, pruning: undefined, rounds: 2 }),
      between: withPlans(plans),
    });
    const mask = { sha256: '0'.repeat(64), sizeBytes: 100, kept: 5 };
    expect(Plan.safeParse({ ...plans.get(0), mask }).error?.issues[0]?.message).toContain(
      'correlated over rounds takes no mask',
    );
  });

  test('a schedule without steps or share is none', () => {
    expect(() => aFederationConfig({ pruning: {} })).toThrow('nothing is ever pruned');
  });
});
