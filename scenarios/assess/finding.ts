import type { ReportedEpsilon } from '../../shared/protocol/report.ts';
import {
  countText,
  figure as decimals,
  epsilonText,
  interval,
  percent,
  provenText,
} from '../report/words.ts';
import type { QuestionId, SectionId } from './questions.ts';

/** One number of an answer, and where it comes from. */
export interface Figure {
  readonly what: string;
  readonly value: number | 'infinite';
  /** 95 %, or as `what` says; null where there is none on that side. */
  readonly low: number | null;
  readonly high: number | null;
  /** Value and interval as they are shown: `0.889 [0.862, 0.911]`. */
  readonly text: string;
  readonly source: string;
}

/** What to do next: a command of `parley`, a page of the documents, or both. */
export interface Step {
  readonly do: string;
  readonly command?: string;
  readonly read?: string;
}

interface Answered {
  readonly question: QuestionId;
  /** One or a few exact sentences. */
  readonly answer: string;
  /** What this answer leaves open, though it was asked. */
  readonly missing: readonly string[];
  /** Never empty. */
  readonly next: readonly Step[];
}

/** `measured` on audit users, or `known` from configuration and accounting without any measurement. */
export interface FindingWithFigures extends Answered {
  readonly status: 'measured' | 'known';
  readonly figures: readonly Figure[];
}

/** Without a measurement there is no place for a figure. `void`: measured, but a control failed, so the figures mean nothing. */
export interface FindingWithout extends Answered {
  readonly status: 'not-measured' | 'not-applicable' | 'void';
}

/** The answer to one question of an assessment. */
export type Finding = FindingWithFigures | FindingWithout;

/** The answers of one part, and what they say together in words. */
export interface Section {
  readonly id: SectionId;
  readonly conclusion: string;
  readonly findings: readonly Finding[];
}

/** Figures of a finding; none where nothing was measured. */
export function figuresOf(finding: Finding): readonly Figure[] {
  return 'figures' in finding ? finding.figures : [];
}

/** What a finding may leave out: nothing missing, no figure. */
interface Words extends Omit<Answered, 'question' | 'missing'> {
  readonly missing?: readonly string[];
}

/** The parts of a finding with figures. */
export interface WordsAndFigures extends Words {
  readonly figures?: readonly Figure[];
}

/** An answer that was measured. */
export function measured(question: QuestionId, words: WordsAndFigures): Finding {
  return { question, status: 'measured', missing: [], figures: [], ...words };
}

/** An answer from configuration or accounting. */
export function known(question: QuestionId, words: WordsAndFigures): Finding {
  return { question, status: 'known', missing: [], figures: [], ...words };
}

/** No answer, why, and how to get one. */
export function unmeasured(
  question: QuestionId,
  words: Words,
  status: FindingWithout['status'] = 'not-measured',
): Finding {
  return { question, status, missing: [], ...words };
}

interface Range {
  readonly low: number | null;
  readonly high: number | null;
}

/** An AUC, an accuracy, a gap in nats: three decimals. */
export function decimalFigure(what: string, value: number, { low, high }: Range, source: string): Figure {
  const range = low === null || high === null ? '' : ` ${interval({ low, high })}`;
  return { what, value, low, high, text: `${decimals(value)}${range}`, source };
}

/** A rate as a percentage. */
export function rateFigure(what: string, value: number, { low, high }: Range, source: string): Figure {
  const range = low === null || high === null ? '' : ` [${percent(low)}, ${percent(high)}]`;
  return { what, value, low, high, text: `${percent(value)}${range}`, source };
}

/** A count, which has no interval. */
export function countFigure(what: string, value: number, source: string): Figure {
  return { what, value, low: null, high: null, text: countText(value), source };
}

/** An accounted epsilon: an upper bound, shown rounded up. */
export function boundFigure(what: string, epsilon: ReportedEpsilon, source: string): Figure {
  const high = epsilon === 'infinite' ? null : epsilon;
  return { what, value: epsilon, low: null, high, text: epsilonText(epsilon), source };
}

/** A proven epsilon: a lower bound, shown rounded down. */
export function provenFigure(what: string, epsilon: number, source: string): Figure {
  return { what, value: epsilon, low: epsilon, high: null, text: `at least ${provenText(epsilon)}`, source };
}
