import { pickRows } from '../pick-rows.ts';
import { answersOf, onLabels, type SiloRound, student, type Teaching } from './labelled.ts';
import type { SiloRecords } from './records.ts';
import type { SiloDefence } from './silo-defence.ts';

type Distillation = Extract<SiloDefence, { type: 'distillation' }>;

/**
 * Distillation for membership privacy (DMP; Shejwalkar and Houmansadr, AAAI 2021): a teacher descends on the labels of the drawn
 * users; its answers to public records, of which no labels are used, are all that the student sees. Both start from the received
 * parameters.
 */
export async function distillation(
  round: SiloRound,
  { records, reference }: { readonly records: SiloRecords; readonly reference: SiloRecords },
  { temperature, keep, studentEpochs }: Distillation,
): Promise<Float32Array> {
  const { received, rng, epochs } = round;
  const rows = records.labels.map((_, row) => row);
  const teacher = await onLabels(round, records, { start: received, rows, rng: rng.fork('teacher') });
  const lessons = { features: reference.features, temperature, keep, epochs: studentEpochs ?? epochs };
  return studentOf(round, teacher, lessons);
}

/** What a student learns of a teacher: `features`, shape (numRecords, numFeatures), and how. */
export interface Lessons extends Pick<Distillation, 'temperature' | 'keep'> {
  readonly features: Float32Array;
  readonly epochs: number;
}

/** A student that starts from the received parameters and learns what `teacher`, shape (numParams,), answers to public records. */
export async function studentOf(
  round: Teaching,
  teacher: Float32Array,
  { features, temperature, keep, epochs }: Lessons,
): Promise<Float32Array> {
  const { numClasses, numFeatures } = round;
  const answers = await answersOf(round, teacher, { features, temperature });
  const kept = mostCertain(answers, numClasses, keep);
  return student(round, {
    features: pickRows(features, kept, numFeatures),
    targets: pickRows(answers, kept, numClasses),
    temperature,
    epochs,
  });
}

/** The share of records with least entropy, rounded up, ascending; of equal ones the first. */
export function mostCertain(answers: Float32Array, numClasses: number, share: number): Int32Array {
  const entropies = Float64Array.from({ length: answers.length / numClasses }, (_, row) => {
    const answer = answers.subarray(row * numClasses, (row + 1) * numClasses);
    return answer.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  });
  const order = Int32Array.from(entropies.keys()).sort(
    (a, b) => (entropies[a] ?? 0) - (entropies[b] ?? 0) || a - b,
  );
  return order.slice(0, Math.ceil(share * order.length)).sort();
}
