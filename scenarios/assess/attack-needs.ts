import type { AttackName } from '../../coordinator/index.ts';
import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';

/**
 * What an attacker needs beside the target's records: only the finished model's `answers` to them; `another-model` to compare
 * with, the initial one or a public one; the models of `all-rounds`; or the `hidden-layer`, so the model itself.
 */
export type Need = 'answers' | 'another-model' | 'all-rounds' | 'hidden-layer';

const needs = {
  'mean-log-ratio': 'another-model',
  'max-log-ratio': 'another-model',
  'trimmed-log-ratio': 'another-model',
  'mean-log-ratio-by-size': 'another-model',
  'max-log-ratio-by-size': 'another-model',
  'trimmed-log-ratio-by-size': 'another-model',
  'fresh-mean-log-ratio': 'another-model',
  'mean-reference-ratio': 'another-model',
  'max-reference-ratio': 'another-model',
  'trimmed-reference-ratio': 'another-model',
  'mean-reference-ratio-by-size': 'another-model',
  'max-reference-ratio-by-size': 'another-model',
  'trimmed-reference-ratio-by-size': 'another-model',
  'neighbour-difference': 'another-model',
  rmia: 'another-model',
  quantile: 'another-model',
  'trajectory-slope': 'all-rounds',
  'trajectory-mean': 'all-rounds',
  'trajectory-difference': 'another-model',
  'trajectory-step': 'all-rounds',
  'margin-slope': 'all-rounds',
  'margin-mean': 'all-rounds',
  'margin-difference': 'another-model',
  'margin-step': 'all-rounds',
  'embedding-compactness': 'hidden-layer',
  'embedding-pair': 'hidden-layer',
  'embedding-separation': 'hidden-layer',
  'embedding-compactness-by-size': 'hidden-layer',
  'embedding-pair-by-size': 'hidden-layer',
  loss: 'answers',
  confidence: 'answers',
  entropy: 'answers',
  'modified-entropy': 'answers',
  margin: 'answers',
  hinge: 'answers',
  'loss-by-class': 'answers',
  'confidence-by-class': 'answers',
  'entropy-by-class': 'answers',
  'margin-by-class': 'answers',
  'hinge-by-class': 'answers',
} as const satisfies Readonly<Record<AttackName, Need>>;

/** Every attack on all audit users once, the declared one first. */
export function attacksMade({ user, attacks }: AuditReport): AttackResult[] {
  return [user, ...attacks.filter(({ attack }) => attack !== user.attack)];
}

/** Those of some attacks whose attacker needs this. */
export function attacksNeeding(results: readonly AttackResult[], need: Need): AttackResult[] {
  const names = Object.entries(needs).flatMap(([name, own]) => (own === need ? [name] : []));
  return results.filter(({ attack }) => names.includes(attack));
}
