import { type Attack, isMeasured, momentsOf, referenceScores } from '../attack.ts';
import { type AuditPopulation, recordCounts, usersWithRole } from '../population.ts';

/** Reference users that a mean and a spread are taken from, at least. */
const minReferenceUsers = 20;

/**
 * The same attack, each user's score standardised by reference users with similar record counts (algorithms D6): a statistic
 * over many records varies less than one over few, and one threshold must serve both. Strata lie between the quartiles of
 * the reference users' record counts; one with fewer than 20 reference users uses all of them.
 */
export function bySize(attack: Attack): Attack {
  return (evidence) => {
    const scores = attack(evidence);
    if (!isMeasured(scores)) return scores;
    const { population } = evidence;
    const reference = usersWithRole(population, 'reference');
    if (reference.length < minReferenceUsers)
      return {
        notMeasured: `${reference.length} reference users; standardising by record count needs ${minReferenceUsers}`,
      };
    const stratumOf = strata(population, reference);
    const pooled = momentsOf(referenceScores(population, scores));
    const own = [0, 1, 2, 3].map((stratum) => {
      const inside = reference.filter((user) => stratumOf[user] === stratum);
      if (inside.length < minReferenceUsers) return pooled;
      return momentsOf(Float64Array.from(inside, (user) => scores[user] ?? 0));
    });
    return scores.map((score, user) => {
      const { mean, spread } = own[stratumOf[user] ?? 0] ?? pooled;
      return (score - mean) / (spread > 0 ? spread : 1);
    });
  };
}

/** How many quartiles of the reference users' record counts lie below each user's, shape (numUsers,), 0 .. 3. */
function strata(population: AuditPopulation, reference: Int32Array): Int32Array {
  const counts = recordCounts(population);
  const ascending = Int32Array.from(reference, (user) => counts[user] ?? 0).sort();
  const quartiles = [1, 2, 3].map(
    (quarter) => ascending[Math.ceil((quarter * ascending.length) / 4) - 1] ?? 0,
  );
  return counts.map((count) => quartiles.filter((quartile) => quartile < count).length);
}
