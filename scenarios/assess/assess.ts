import { defences } from './defences.ts';
import type { Finding, Section } from './finding.ts';
import { guarantee } from './guarantee.ts';
import { leakage } from './leakage.ts';
import { modelClass } from './model-class.ts';
import { outputs } from './outputs.ts';
import { overfitting } from './overfitting.ts';
import { slices } from './slices.ts';
import type { Subject } from './subject.ts';
import { threatModel } from './threat-model.ts';

/** An assessment as it is printed and written: answers in words, and no score over them. */
export interface Assessment {
  readonly assessVersion: 1;
  readonly target: string;
  readonly title: string;
  readonly privacy: Subject['privacy'];
  readonly caveats: readonly string[];
  readonly sections: readonly Section[];
}

/** Answer every question of the checklist once from what is at hand. Pure; nothing is measured anew that is not in `subject`. */
export function assess(subject: Subject): Assessment {
  const { target, title, privacy, caveats } = subject;
  return {
    ...{ assessVersion: 1, target, title, privacy, caveats },
    sections: [
      threatModel(subject),
      leakage(subject),
      overfitting(subject),
      defences(subject),
      guarantee(subject),
      outputs(subject),
      slices(subject),
      modelClass(subject),
    ],
  };
}

/** All answers, in order. */
export function findingsOf({ sections }: Assessment): Finding[] {
  return sections.flatMap(({ findings }) => findings);
}

/** How much is open, in one sentence without a full stop. */
export function gapsSentence(assessment: Assessment): string {
  const all = findingsOf(assessment);
  const without = all.filter(({ status }) => status === 'not-applicable').length;
  const rest = without === 0 ? '' : `, and ${without} ${without === 1 ? 'does' : 'do'} not apply`;
  return `${gapsOf(assessment).length} of ${all.length} questions have no measurement${rest}`;
}

/** Answers that rest on no measurement though one could be made, or whose measurement is void. */
export function gapsOf(assessment: Assessment): Finding[] {
  return findingsOf(assessment).filter(({ status }) => status === 'not-measured' || status === 'void');
}
