import { type Attack, isMeasured } from '../../coordinator/audit/attack.ts';
import { type AttackName, attacks } from '../../coordinator/audit/attacks.ts';
import type { Evidence } from '../../coordinator/audit/evidence.ts';
import {
  type AuditPopulation,
  type Role,
  recordsOf,
  usersWithRole,
} from '../../coordinator/audit/population.ts';
import type { EmbeddingSignals, RecordSignals } from '../../shared/model/signals.ts';
import { standardNormals } from '../../shared/random/gaussian.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { fairCoin, uniformBelow } from '../../shared/random/sample.ts';

export interface EvidenceOptions {
  readonly users: number;
  /** Records of every user. */
  readonly records?: number;
  /** How much lower a member's record losses are under the current model, in standard deviations of the noise. */
  readonly leak?: number;
  /** The same for members with code 0 of the last column only. */
  readonly groupLeak?: number;
  /** Number of values of each column. */
  readonly columns?: readonly number[];
}

/**
 * Audit users whose signals are noise, but for what the options let through: members and held-out users by a fair coin,
 * one user in five a reference user, two classes, three rounds.
 */
export function evidenceOf(rng: Rng, options: EvidenceOptions): Evidence {
  const { leak = 0 } = options;
  const population = populationOf(rng, options);
  const numRecords = population.labels.length;
  const noise = (): Float64Array => standardNormals(rng, numRecords);
  const initial = signalsOf(noise().map((value) => 3 + 0.1 * value));
  const drop = dropOf(population, options);
  const rounds = [1, 2, 3].map((round) =>
    noise().map((value, record) => 3 - round * 0.2 - (drop[record] ?? 0) + value),
  );
  const { recordOffsets, roles } = population;
  const means = (values: Float64Array): Float32Array =>
    Float32Array.from(roles, (_, user) =>
      mean(values.subarray(recordOffsets[user], recordOffsets[user + 1])),
    );
  const lossHistory = rounds.map(means);
  const marginHistory = lossHistory.map((losses) => losses.map((value) => -value));
  const reference = signalsOf(noise().map((value) => 3 + 0.1 * value));
  const current = { ...signalsOf(rounds[2]!), embedding: embeddingOf(rng, population, leak) };
  return { population, initial, current, references: [reference], lossHistory, marginHistory };
}

/** Embeddings of members lie closer together, and further from others, as far as they leak. */
function embeddingOf(rng: Rng, { roles }: AuditPopulation, leak: number): EmbeddingSignals {
  const shift = roles.map((role) => (role === 'member' ? leak / 4 : 0));
  const around = (sign: number): Float32Array =>
    Float32Array.from(standardNormals(rng, roles.length), (value, user) =>
      Math.abs(1 + 0.1 * value + sign * (shift[user] ?? 0)),
    );
  return { compactness: around(-1), pair: around(-1), separation: around(1) };
}

/** An attack's scores, which there must be. */
export function measured(name: AttackName, evidence: Evidence): Float64Array {
  const attack: Attack = attacks[name];
  const scores = attack(evidence);
  if (isMeasured(scores)) return scores;
  throw new Error(`${name}: ${scores.notMeasured}`);
}

/** A population with the given roles, one record of class 0 each and no groups. */
export function plainPopulation(roles: readonly Role[]): AuditPopulation {
  return {
    roles,
    recordOffsets: Int32Array.from({ length: roles.length + 1 }, (_, user) => user),
    labels: new Int32Array(roles.length),
    numClasses: 2,
    subpopulations: [],
  };
}

/** Signals of one value each, for tests that look at one of them. */
export function signalsOf(values: ArrayLike<number>): RecordSignals {
  return {
    loss: Float32Array.from(values),
    margin: Float32Array.from(values, (value) => -value),
    hinge: Float32Array.from(values, (value) => -value),
    entropy: Float32Array.from(values),
    modifiedEntropy: Float32Array.from(values),
  };
}

/** Evidence for users with one record each. */
export function plainEvidence(parts: Partial<Evidence> & { roles: readonly Role[] }): Evidence {
  const zero = signalsOf(new Float32Array(parts.roles.length));
  return {
    population: plainPopulation(parts.roles),
    initial: zero,
    current: zero,
    references: [],
    lossHistory: [],
    marginHistory: [],
    ...parts,
  };
}

function populationOf(rng: Rng, { users, records = 2, columns = [] }: EvidenceOptions): AuditPopulation {
  const roles = Array.from({ length: users }, (_, user): Role => {
    if (user % 5 === 4) return 'reference';
    return fairCoin(rng) ? 'member' : 'held-out';
  });
  return {
    roles,
    recordOffsets: Int32Array.from({ length: users + 1 }, (_, user) => user * records),
    labels: Int32Array.from({ length: users * records }, () => uniformBelow(rng, 2)),
    freshCounts: new Int32Array(users).fill(Math.floor(records / 2)),
    numClasses: 2,
    places: { dims: 2, coordinates: Float32Array.from(standardNormals(rng, 2 * users)) },
    subpopulations: columns.map((size, index) => ({
      column: `column ${index}`,
      vocabulary: Array.from({ length: size }, (_, code) => `value ${code}`),
      codes: Int32Array.from({ length: users }, () => uniformBelow(rng, size)),
    })),
  };
}

function dropOf(population: AuditPopulation, { leak = 0, groupLeak = 0 }: EvidenceOptions): Float64Array {
  const drop = new Float64Array(population.labels.length);
  const codes = population.subpopulations.at(-1)?.codes;
  for (const user of usersWithRole(population, 'member'))
    for (const record of recordsOf(population, Int32Array.of(user)))
      drop[record] = leak + (codes?.[user] === 0 ? groupLeak : 0);
  return drop;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
