import type { Rng } from '../../../shared/random/rng.ts';
import { uniformBelow } from '../../../shared/random/sample.ts';

type Cells = Readonly<Record<string, string>>;

/** Fields that a copy takes from somebody else, at most. */
const mostChanged = 3;

/** Copies of a record that take one to three fields, drawn at random, from other records, drawn at random too. */
export function perturbedCopies(record: Cells, others: readonly Cells[], count: number, rng: Rng): Cells[] {
  const fields = Object.keys(record);
  return Array.from({ length: count }, () => {
    const changed = Array.from({ length: 1 + uniformBelow(rng, mostChanged) }, () => {
      const field = fields[uniformBelow(rng, fields.length)] ?? '';
      return [field, others[uniformBelow(rng, others.length)]?.[field] ?? record[field] ?? ''] as const;
    });
    return { ...record, ...Object.fromEntries(changed) };
  });
}
