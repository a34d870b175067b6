import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkPlan, checkScoredModel, SitePolicy } from '../../../client/policy.ts';
import { ParleyError } from '../../../shared/errors.ts';
import { squareRootMatrix } from '../../../shared/privacy/banded-matrix.ts';
import { RoundIndex, RunId } from '../../../shared/units.ts';
import { aPlan, aPolicy, type PlanChange, userDp } from '../../support/a-site.ts';

const relaxloss = { defence: { type: 'relaxloss', alpha: 0.5 } };
const combined = {
  type: 'combined',
  defences: [
    { type: 'relaxloss', alpha: 0.5 },
    { type: 'dropout', rate: 0.5 },
  ],
};
const none = { type: 'none', gridRange: 16, samplingRate: 0.5, delta: 1e-5 };
const logistic = { inputShape: [2], output: { type: 'sigmoid' } };

type PolicyChange = Partial<Record<keyof SitePolicy, unknown>>;

/** Rule, the policy's value and the plan's as the message has them; then the policy and the plan. */
const refused: readonly (readonly [[string, string, string], PolicyChange, PlanChange])[] = [
  [['minSites', '4', '3'], { minSites: 4 }, { minSites: 3 }],
  [
    ['minNoiseMultiplier', '1.25', '1.2'],
    { minNoiseMultiplier: 1.25 },
    { protection: userDp({ noiseMultiplier: 1.2 }) },
  ],
  [
    ['maxSamplingRate', '0.25', '0.3'],
    { maxSamplingRate: 0.25 },
    { protection: userDp({ samplingRate: 0.3 }) },
  ],
  [
    ['maxSamplingRate', '0.25', '0.5'],
    { maxSamplingRate: 0.25, allowUnprotected: true },
    { protection: none },
  ],
  [['allowUnprotected', 'false', 'no protection at all'], {}, { protection: none }],
  [['allowedDefences', 'none', 'relaxloss'], { allowedDefences: ['none'] }, { local: relaxloss }],
  [
    ['allowedDefences', 'relaxloss', 'dropout'],
    { allowedDefences: ['relaxloss'] },
    { local: { defence: combined } },
  ],
  [['allowedDefences', 'none, relaxloss', 'hamp'], {}, { local: { defence: { type: 'hamp' } } }],
  [['allowedDefences', 'relaxloss', 'none'], { allowedDefences: ['relaxloss'] }, {}],
  [['allowedDefences', 'none at all', 'none'], { allowedDefences: [] }, {}],
  [
    ['allowedDefences', 'none, relaxloss', 'mist'],
    { allowUnprotected: true },
    { local: { silo: { type: 'mist' } }, protection: none },
  ],
  [
    ['allowedDefences', 'mist', 'label-smoothing'],
    { allowUnprotected: true, allowedDefences: ['mist'] },
    { local: { silo: { type: 'mist' }, defence: { type: 'label-smoothing' } }, protection: none },
  ],
  [
    ['allowUnprotected', 'false', 'no protection at all'],
    { allowedDefences: ['mist'] },
    { local: { silo: { type: 'mist' } }, protection: none },
  ],
  [['minAnswerAfterMs', '501', 'answerAfterMs 500'], { minAnswerAfterMs: 501 }, { answerAfterMs: 500 }],
  [['allowedModels', 'a list of models', 'a model that is not in it'], { allowedModels: [] }, {}],
  [
    ['allowedModels', 'a list of models', 'a model that is not in it'],
    { allowedModels: [logistic] },
    { model: { layers: [{ type: 'dense', units: 2 }] } },
  ],
];

test('refuses to score a model that is not in the list', () => {
  const { model } = aPlan({ model: { layers: [{ type: 'dense', units: 2 }] } });
  const task = { run: RunId.parse('run-1'), version: RoundIndex.parse(3), model };
  const check = (allowedModels: unknown) => () => {
    checkScoredModel(task, aPolicy({ allowedModels }));
  };
  expect(check([logistic])).toThrow(expect.objectContaining({ code: 'POLICY_REFUSED' }));
  expect(check([model.spec])).not.toThrow();
  expect(check('any')).not.toThrow();
});

const allowed: readonly [string, PolicyChange, PlanChange][] = [
  ['exactly the shortest tick', { minAnswerAfterMs: 500 }, { answerAfterMs: 500 }],
  ['as many sites as asked for', { minSites: 4 }, { minSites: 4 }],
  ['exactly the least noise', { minNoiseMultiplier: 1.5 }, {}],
  ['exactly the largest sampling rate', { maxSamplingRate: 0.5 }, {}],
  ['a defence of the list', {}, { local: relaxloss }],
  [
    'a combination of defences of the list',
    { allowedDefences: ['dropout', 'relaxloss'] },
    { local: { defence: combined } },
  ],
  [
    'a model of the list, whatever the order of its fields',
    { allowedModels: [logistic] },
    { model: logistic },
  ],
  [
    'a model of the list whose defaults are written out',
    { allowedModels: [{ ...logistic, layers: [] }] },
    {},
  ],
  ['no protection where the site allows it', { allowUnprotected: true }, { protection: none }],
  [
    'training on all users together where the site allows that one and no protection',
    { allowUnprotected: true, allowedDefences: ['selena'] },
    { local: { silo: { type: 'selena' } }, protection: none },
  ],
];

describe('a site holds a plan against its policy', () => {
  test.each(refused)('refuses by %j, and names all three', ([rule, ours, theirs], policy, plan) => {
    const check = (): void => {
      checkPlan(aPlan(plan), aPolicy(policy));
    };
    expect(check).toThrow(ParleyError);
    expect(check).toThrow(expect.objectContaining({ code: 'POLICY_REFUSED' }));
    expect(check).toThrow(
      `round 4: this site's policy has ${rule} ${ours}, the plan has ${theirs}; only the site`,
    );
  });

  test.each(['user-dp', 'user-dp-banded'])(
    'refuses a silo-level defence beside %s, with the reason',
    (type) => {
      const matrix = squareRootMatrix({ rounds: 10, minSeparation: 5 });
      const protection =
        type === 'user-dp'
          ? userDp()
          : { type, mode: 'local', clipNorm: 0.25, noiseMultiplier: 9, matrix, delta: 1e-5 };
      const plan = aPlan({ local: { silo: { type: 'mist' } }, protection });
      expect(() => {
        checkPlan(plan, aPolicy({ allowUnprotected: true, allowedDefences: ['mist'] }));
      }).toThrow(
        expect.objectContaining({
          code: 'POLICY_REFUSED',
          message: expect.stringContaining(
            `mist trains on all users of a site together, so no user's`,
          ) as unknown,
        }),
      );
    },
  );

  test.each(allowed)('allows %s', (_what, policy, plan) => {
    expect(() => {
      checkPlan(aPlan(plan), aPolicy(policy));
    }).not.toThrow();
  });

  test('noise is refused below the least and allowed from it on, whatever else the plan has', () => {
    const amount = fc.double({ min: 1e-3, max: 100, noNaN: true });
    fc.assert(
      fc.property(
        amount,
        amount,
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (least, asked, samplingRate) => {
          const protection = userDp({ noiseMultiplier: asked, samplingRate });
          const check = (): void => {
            checkPlan(aPlan({ protection }), aPolicy({ minNoiseMultiplier: least }));
          };
          if (asked < least) expect(check).toThrow('minNoiseMultiplier');
          else expect(check).not.toThrow();
        },
      ),
    );
  });

  test('a policy says what it may spend; the rest has cautious defaults', () => {
    expect(SitePolicy.parse({ maxEpsilon: 3, delta: 1e-6, minNoiseMultiplier: 0.7 })).toEqual({
      maxEpsilon: 3,
      delta: 1e-6,
      minNoiseMultiplier: 0.7,
      minAnswerAfterMs: 0,
      minSites: 2,
      maxSamplingRate: 1,
      allowedModels: 'any',
      allowedDefences: ['none', 'relaxloss'],
      allowUnprotected: false,
      keepReleases: 'unsettled',
    });
  });

  test.each(['maxEpsilon', 'delta', 'minNoiseMultiplier'])('a policy without %s is no policy', (rule) => {
    const whole: Record<string, unknown> = { maxEpsilon: 3, delta: 1e-6, minNoiseMultiplier: 0.7 };
    const rest = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== rule));
    expect(SitePolicy.safeParse(whole).success).toBe(true);
    expect(SitePolicy.safeParse(rest).success).toBe(false);
  });

  test('a period has an epsilon and days', () => {
    const policy = { maxEpsilon: 3, delta: 1e-6, minNoiseMultiplier: 0.7 };
    const fits = (perPeriod: unknown): boolean => SitePolicy.safeParse({ ...policy, perPeriod }).success;
    expect(fits({ epsilon: 1, days: 30 })).toBe(true);
    for (const period of [{ epsilon: 1 }, { days: 30 }, { epsilon: 0, days: 30 }, { epsilon: 1, days: -1 }])
      expect(fits(period)).toBe(false);
  });

  test('a misspelt rule is refused instead of being forgotten', () => {
    const policy = { maxEpsilon: 3, delta: 1e-6, minNoiseMultiplier: 0.7, minSite: 5 };
    expect(SitePolicy.safeParse(policy).success).toBe(false);
  });
});
