import type { EmbeddingSignals } from '../../../shared/model/signals.ts';
import { type Attack, withNeutral } from '../attack.ts';

/** Minus the mean distance of a user's records to their centroid: training pulls them together. */
export const compactness: Attack = embeddingAttack('compactness', -1);

/** Minus the mean distance between two records of a user. */
export const pair: Attack = embeddingAttack('pair', -1);

/** Distance of a user's centroid to the nearest other reference user: training moves them apart. */
export const separation: Attack = embeddingAttack('separation', 1);

/**
 * An embedding statistic as a score (metric-embedding attack of Li, Rezaei and Liu 2022, without their shadow model). Users
 * with fewer than two distinct records have no statistic and score as the median reference user.
 */
function embeddingAttack(name: keyof EmbeddingSignals, sign: 1 | -1): Attack {
  return ({ population, current }) => {
    if (!current.embedding)
      return { notMeasured: 'the model has no hidden layer, so records have no embedding' };
    const values = current.embedding[name];
    const isKnown = Array.from(values, (value) => value >= 0);
    if (!isKnown.some(Boolean)) return { notMeasured: 'no audit user has two distinct records to compare' };
    return withNeutral(
      population,
      Float64Array.from(values, (value) => sign * value),
      isKnown,
    );
  };
}
