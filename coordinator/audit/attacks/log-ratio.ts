import type { Attack } from '../attack.ts';
import { withNeutral } from '../attack.ts';
import { type Evidence, meanByUser, summaryByUser } from '../evidence.ts';

/** What a record's loss is compared with: the loss under the initial model, or its mean over the reference models. */
export type Baseline = 'initial' | 'references';

/** How a user's records become one number. */
const summaries = {
  mean: (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length,
  max: (values: Float64Array) => values.reduce((largest, value) => Math.max(largest, value), -Infinity),
  /** Mean without the lowest and the highest 10 % of the records, each rounded down. */
  trimmed: (values: Float64Array) => {
    const cut = Math.floor(values.length / 10);
    const kept = values.toSorted().subarray(cut, values.length - cut);
    return kept.reduce((sum, value) => sum + value, 0) / kept.length;
  },
};

/**
 * A summary over a user's records of log(p_current / p_baseline) of the true class, in nats: how much better the model knows
 * the user's records than a model that never saw them (user inference, Kandpal et al. 2024, equation 2; mean).
 */
export function logRatio(summary: keyof typeof summaries, baseline: Baseline): Attack {
  return (evidence) => {
    const ratio = ratioTo(baseline, evidence);
    if (ratio === undefined) return noReferences;
    if (summary === 'mean') return meanByUser(evidence.population, ratio);
    return summaryByUser(evidence.population, ratio, summaries[summary]);
  };
}

/**
 * The mean log-ratio against the initial model over a user's fresh records only, which never train: what an attacker finds who
 * knows other records of the person than those that trained. Users without fresh records score neutrally.
 */
export const freshLogRatio: Attack = (evidence) => {
  const { population, initial, current } = evidence;
  const { recordOffsets, freshCounts, roles } = population;
  const isKnown = roles.map((_, user) => (freshCounts?.[user] ?? 0) > 0);
  if (!isKnown.some(Boolean))
    return { notMeasured: 'no user has fresh records: the sites keep none apart (audit.freshFraction)' };
  const scores = Float64Array.from(roles, (_, user) => {
    const end = recordOffsets[user + 1] ?? 0;
    const count = freshCounts?.[user] ?? 0;
    let sum = 0;
    for (let record = end - count; record < end; record++)
      sum += (initial.loss[record] ?? 0) - (current.loss[record] ?? 0);
    return count > 0 ? sum / count : 0;
  });
  return withNeutral(population, scores, isKnown);
};

/** Of attacks that need a reference model. */
const noReferences = { notMeasured: 'the run has no reference models (audit.referenceModels)' };

function ratioTo(
  baseline: Baseline,
  { initial, references, current }: Evidence,
): ((record: number) => number) | undefined {
  if (baseline === 'initial') return (record) => (initial.loss[record] ?? 0) - (current.loss[record] ?? 0);
  if (references.length === 0) return undefined;
  return (record) => {
    const sum = references.reduce((total, { loss }) => total + (loss[record] ?? 0), 0);
    return sum / references.length - (current.loss[record] ?? 0);
  };
}
