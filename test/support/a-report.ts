import { createHash } from 'node:crypto';
import type { AttackResult, GroupResult } from '../../shared/protocol/audit-report.ts';
import { Manifest } from '../../shared/protocol/manifest.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';

const sites = ['north', 'south', 'east', 'west'];
const groups: readonly (readonly [string, string])[] = [
  ['race', 'Asian'],
  ['race', 'Caucasian'],
  ['race', 'AfricanAmerican'],
  ['gender', 'Female'],
  ['gender', 'Male'],
  ['age', '[70-80)'],
];

export interface ReportOptions {
  readonly seed?: number;
  /** From 0. */
  readonly round?: number;
  readonly rounds?: number;
}

/** A plausible round of a four-site run: seeded figures, valid against the schema. */
export function aReport({ seed = 1, round = 11, rounds = 50 }: ReportOptions = {}): RoundReport {
  const rng = seededRng(Seed.parse(seed)).fork(`round ${round}`);
  const done = (round + 1) / rounds;
  const value = 0.67 - 0.17 * Math.exp(-5 * done) + jitter(rng, 0.004);
  const user = anAttack(rng, 'mean log-ratio', 0.5 + 0.03 * done);
  const tested = groups.map(([column, groupValue]) => aGroup(rng, column, groupValue));
  const worst = tested.reduce((a, b) => (b.pValue < a.pValue ? b : a));
  return RoundReport.parse({
    reportVersion: 1,
    run: 'four-hospitals-1',
    round,
    rounds,
    sites: { asked: sites, answered: sites, declined: [], missing: [] },
    utility: { metric: 'auc', value, accuracy: value + 0.04, loss: 0.69 - 0.1 * done, heldOutRecords: 2_140 },
    epsilon: {
      coordinator: 3.98 * Math.sqrt(done),
      recipients: 2.1 * Math.sqrt(done),
      delta: 1e-6,
      limit: 4,
    },
    audit: {
      members: 412,
      heldOut: 398,
      reference: 200,
      user,
      attacks: [user, anAttack(rng, 'offline RMIA', 0.52), anAttack(rng, 'trajectory slope', 0.505)],
      worstGroup: {
        column: worst.column,
        value: worst.value,
        auc: worst.auc,
        low: worst.low,
        high: worst.high,
        pValue: worst.pValue,
      },
      groups: [
        ...tested,
        {
          status: 'not-testable',
          column: 'race',
          value: 'Other',
          members: 6,
          heldOut: 4,
          reason: 'fewer than 20 held-out users',
          fallback: 'all users',
        },
      ],
      pairsLeftOut: [],
      vulnerable: {
        tested: 810,
        falseDiscoveryRate: 0.1,
        flagged: 0,
        flaggedMembers: 0,
        users: [
          {
            user: 'north#17',
            score: 0.81,
            pValue: 0.012,
            adjustedPValue: 0.42,
            flagged: false,
            role: 'member',
            comparedWith: { column: 'race', value: 'Asian' },
            groups: ['site=north', 'race=Asian', 'gender=Female'],
            neighbourPValue: 0.032,
          },
        ],
        topPercentile: { users: 9, members: 5, low: 0.212, high: 0.863 },
      },
      mislabelled: {
        ...anAttack(rng, 'mean log-ratio', 0.6),
        members: 21,
        heldOut: 19,
        minimumDetectableAuc: 0.73,
      },
      multipleTesting: 'holm',
      negativeControl: { auc: 0.501, low: 0.462, high: 0.54, passed: true },
      minimumDetectableAuc: 0.552,
      roc: aRoc(user.auc),
    },
    policy: { action: 'go-on', reasons: [] },
    refused: {},
    modelSha256: sha256(`model ${seed} ${round}`),
    privacy: 'simulation: not private',
    seconds: 2 + jitter(rng, 0.3),
  });
}

/** The finished rounds of a run, from round 0. */
export function someReports({ seed = 1, rounds = 50 }: ReportOptions = {}, finished = rounds): RoundReport[] {
  return Array.from({ length: finished }, (_, round) => aReport({ seed, round, rounds }));
}

/** The manifest of that run. */
export function aManifest(seed = 1): Manifest {
  return Manifest.parse({
    manifestVersion: 1,
    run: `four-hospitals-${seed}`,
    name: 'Four hospitals',
    description: 'Readmission within thirty days, trained across four hospitals.',
    createdAt: '2026-11-23T20:00:00.000Z',
    seed,
    privacy: 'simulation: not private',
    versions: { parley: '0.1.0', node: '22.12.0', '@tensorflow/tfjs': '4.22.0' },
    config: {
      rounds: 50,
      privacy: { mode: 'local', clipNorm: 1, noiseMultiplier: 1.1, samplingRate: 0.1, delta: 1e-6 },
      model: {
        layers: [
          { type: 'dense', units: 32 },
          { type: 'dense', units: 1 },
        ],
      },
    },
    sites: sites.map((id) => ({ id, declaredUsers: 2_000, members: 103, heldOut: 99, reference: 50 })),
    initialModelSha256: sha256('initial'),
    published: [
      { source: 'Strack et al. 2014', metric: 'auc', value: 0.672, note: 'pooled data, no privacy' },
      { source: 'Suri et al. 2022', metric: 'attack-auc', value: 0.61 },
    ],
  });
}

function anAttack(rng: Rng, attack: string, centre: number): AttackResult {
  const auc = centre + jitter(rng, 0.012);
  const tpr = 0.012 + jitter(rng, 0.004);
  return {
    attack,
    auc,
    low: auc - 0.04,
    high: auc + 0.04,
    tprAtFpr: [
      { status: 'measured', fpr: 0.1, tpr: 0.11, low: 0.082, high: 0.145, falsePositives: 39 },
      { status: 'measured', fpr: 0.01, tpr, low: tpr / 2, high: tpr * 2, falsePositives: 3 },
      { status: 'not-testable', fpr: 0.001, nonMembersNeeded: 1_000 },
    ],
  };
}

function aGroup(rng: Rng, column: string, value: string): Extract<GroupResult, { status: 'tested' }> {
  const auc = 0.53 + jitter(rng, 0.05);
  return {
    status: 'tested',
    column,
    value,
    members: 40 + (rng.uint32() % 60),
    heldOut: 40 + (rng.uint32() % 60),
    auc,
    low: auc - 0.09,
    high: auc + 0.09,
    pValue: Math.min(1, Math.exp(-25 * (auc - 0.49))),
    rejected: false,
    tprAtFpr: [],
  };
}

/** The ROC of a power-law attack: tpr = fpr^k with the area 1 / (k + 1). */
function aRoc(auc: number): [number, number][] {
  const exponent = 1 / auc - 1;
  const fprs = [0, ...Array.from({ length: 41 }, (_, step) => 398 ** (step / 40 - 1))];
  return fprs.map((fpr) => [fpr, fpr ** exponent]);
}

function jitter(rng: Rng, size: number): number {
  return size * (2 * rng.uniform() - 1);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
