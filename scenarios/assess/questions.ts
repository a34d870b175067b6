/** The parts of an assessment, in order. */
export const sectionTitles = {
  'threat-model': 'Threat model: who sees what',
  leakage: 'Leakage under attacks that fit',
  overfitting: 'Overfitting',
  defences: 'Training defences',
  guarantee: 'Formal guarantee',
  outputs: 'What answers expose',
  slices: 'Slices: groups and single users',
  'model-class': 'Model class',
} as const;
export type SectionId = keyof typeof sectionTitles;

const of = <S extends SectionId>(
  section: S,
  words: string,
): { readonly section: S; readonly words: string } => ({
  section,
  words,
});

/** What an assessment asks, in order: each of these has exactly one answer in every report, be it that nothing was measured. */
export const questions = {
  'who-sees-what': of('threat-model', 'Who sees what of this model?'),
  'attacks-that-fit': of('threat-model', 'Which attacks fit which of them?'),
  controls: of('leakage', 'Can the attack figures be trusted: did the controls pass?'),
  'declared-attack': of('leakage', 'What does the declared attack find, user by user?'),
  'strongest-attack': of('leakage', 'What does the strongest of the attacks made find?'),
  'attacks-not-made': of('leakage', 'Which attacks that fit were not made?'),
  'shadow-federations': of('leakage', 'What would an attacker with everybody’s records find?'),
  'stronger-parties': of('leakage', 'What do parties find that see more than global models?'),
  'loss-gap': of('overfitting', 'How much smaller is the loss of users who trained?'),
  'accuracy-gap': of('overfitting', 'How much more accurate is it on users who trained?'),
  'gap-over-rounds': of('overfitting', 'When did the gap open?'),
  calibration: of('overfitting', 'Is it as often right as it is sure?'),
  'defences-in-use': of('defences', 'Which training defences are in use, and what may each claim?'),
  'effect-of-defences': of('defences', 'What do they change against the same federation without them?'),
  'average-and-vulnerable': of('defences', 'Do those easiest to find fare like the average?'),
  'epsilon-coordinator': of('guarantee', 'What is promised against the coordinator?'),
  'epsilon-recipients': of('guarantee', 'What is promised against model recipients?'),
  'promise-of-this-run': of('guarantee', 'Does this very run keep the promise?'),
  'epsilon-proven': of('guarantee', 'How much epsilon do canaries prove?'),
  'answers-alone': of('outputs', 'What do full probabilities expose to somebody who only asks?'),
  'hardened-answers': of('outputs', 'Are answers hardened for callers?'),
  subpopulations: of('slices', 'Which groups leak?'),
  'groups-not-testable': of('slices', 'Which groups are too small to test?'),
  'vulnerable-users': of('slices', 'Which users are found first?'),
  'mislabelled-canaries': of('slices', 'Are users found who can only be learnt by heart?'),
  capacity: of('model-class', 'How many parameters are there for each training user?'),
  'other-model-class': of('model-class', 'What changes with another model class?'),
} as const;
export type QuestionId = keyof typeof questions;

// The cast says what Object.keys does not: the keys of this constant table are its type's keys.
/** All questions, in the order of a report. */
export const questionIds = Object.keys(questions) as QuestionId[];

// As above.
/** All sections, in the order of a report. */
export const sectionIds = Object.keys(sectionTitles) as SectionId[];
