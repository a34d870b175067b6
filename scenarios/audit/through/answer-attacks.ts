import { attackLogit, type SurrogateAttack } from '../../../shared/model/hardening/surrogate.ts';
import type { AttackResult } from '../../../shared/protocol/audit-report.ts';
import { aucInterval, tprAtFpr } from '../../../shared/stats/interval.ts';
import type { GivenAnswer } from './ask.ts';

/** What an endpoint gave away of one person. */
export interface AnsweredPerson {
  readonly isMember: boolean;
  /** One for each record. */
  readonly answers: readonly GivenAnswer[];
  /** True classes, shape (numRecords,). */
  readonly labels: readonly number[];
  /** Share of each record's perturbed copies that were given its true class, shape (numRecords,); undefined where none were asked. */
  readonly robustness?: readonly number[] | undefined;
}

/** Score of one record, larger = more likely member. */
type RecordScore = (answer: GivenAnswer, label: number) => number;

/** Rounded answers hold zeros, and nobody is infinitely sure. */
const smallest = 1e-6;

/**
 * The attacks on answers at user level: each a mean over a person's records. `trained` is an attack made from the answers to other
 * people whose membership was known (Salem et al. 2019); without a robustness, that attack (Choquette-Choo et al. 2021) is left out.
 */
export function answerAttacks(
  people: readonly AnsweredPerson[],
  trained: SurrogateAttack,
  fprs: readonly number[],
): AttackResult[] {
  const byRecord: readonly (readonly [string, RecordScore])[] = [
    ['confidence in the true class', ({ probabilities }, label) => logOf(probabilities[label])],
    ['largest confidence', ({ probabilities }) => probabilities.reduce((a, b) => Math.max(a, b), 0)],
    ['modified entropy', (answer, label) => -modifiedEntropy(answer.probabilities, label)],
    ['trained on answers', ({ probabilities }) => attackLogit(trained, probabilities).logit],
    ['correct label', (answer, label) => (answer.label === label ? 1 : 0)],
  ];
  const results = byRecord.map(([attack, score]) =>
    resultOf(attack, people, fprs, ({ answers, labels }) =>
      mean(answers.map((answer, record) => score(answer, labels[record] ?? 0))),
    ),
  );
  if (people.some(({ robustness }) => robustness === undefined)) return results;
  const robust = resultOf('label of perturbed copies', people, fprs, ({ robustness = [] }) =>
    mean(robustness),
  );
  return [...results, robust];
}

function resultOf(
  attack: string,
  people: readonly AnsweredPerson[],
  fprs: readonly number[],
  score: (person: AnsweredPerson) => number,
): AttackResult {
  const scores = (isMember: boolean): Float64Array =>
    Float64Array.from(people.filter((person) => person.isMember === isMember).map(score));
  const [members, heldOut] = [scores(true), scores(false)];
  return {
    attack,
    ...aucInterval(members, heldOut),
    tprAtFpr: fprs.map((fpr) => tprAtFpr(members, heldOut, fpr)),
  };
}

/** Song and Mittal (arXiv:2003.10595), from probabilities that may be rounded. */
function modifiedEntropy(probabilities: Float64Array, label: number): number {
  return probabilities.reduce((sum, p, j) => {
    const term = j === label ? -(1 - p) * logOf(p) : -p * logOf(1 - p);
    return sum + term;
  }, 0);
}

function logOf(probability = 0): number {
  return Math.log(Math.max(probability, smallest));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
