/**
 * The made-up hospitals of the synthetic cohort. They differ as real ones do: in whom they treat, how old and how ill
 * their patients are, what they write down, and how often the outcome happens.
 */

export type Ward = 'medical' | 'surgical' | 'cardiac' | 'intensive';
export type Ethnicity = 'white' | 'black' | 'hispanic' | 'asian' | 'indigenous';

/** Public description of one hospital; nothing in it is measured from anybody. */
export interface HospitalProfile {
  readonly name: string;
  /** Mean and standard deviation of the patients' age, years. */
  readonly age: { readonly mean: number; readonly standardDeviation: number };
  /** Mean of the patients' frailty, in standard deviations of the whole population. */
  readonly frailty: number;
  /** Probability that a patient is female. */
  readonly female: number;
  /** Added to the log-odds of the outcome: practice and aftercare, which no column shows. */
  readonly outcomeShift: number;
  /** Probability that lactate was measured, for a patient of middling frailty. */
  readonly lactateMeasured: number;
  readonly wards: Readonly<Record<Ward, number>>;
  readonly ethnicities: Readonly<Record<Ethnicity, number>>;
}

const four: readonly [HospitalProfile, ...HospitalProfile[]] = [
  {
    name: 'university',
    age: { mean: 58, standardDeviation: 18 },
    frailty: 0.3,
    female: 0.5,
    outcomeShift: 0.2,
    lactateMeasured: 0.6,
    wards: { medical: 0.35, surgical: 0.25, cardiac: 0.2, intensive: 0.2 },
    ethnicities: { white: 0.55, black: 0.2, hispanic: 0.12, asian: 0.105, indigenous: 0.025 },
  },
  {
    name: 'community',
    age: { mean: 64, standardDeviation: 16 },
    frailty: 0,
    female: 0.55,
    outcomeShift: 0,
    lactateMeasured: 0.3,
    wards: { medical: 0.6, surgical: 0.25, cardiac: 0.1, intensive: 0.05 },
    ethnicities: { white: 0.66, black: 0.15, hispanic: 0.13, asian: 0.04, indigenous: 0.02 },
  },
  {
    name: 'rural',
    age: { mean: 69, standardDeviation: 14 },
    frailty: -0.1,
    female: 0.52,
    outcomeShift: -0.4,
    lactateMeasured: 0.12,
    wards: { medical: 0.7, surgical: 0.2, cardiac: 0.07, intensive: 0.03 },
    ethnicities: { white: 0.8, black: 0.06, hispanic: 0.09, asian: 0.015, indigenous: 0.035 },
  },
  {
    name: 'heart-centre',
    age: { mean: 66, standardDeviation: 12 },
    frailty: 0.5,
    female: 0.36,
    outcomeShift: 0.35,
    lactateMeasured: 0.5,
    wards: { medical: 0.1, surgical: 0.15, cardiac: 0.6, intensive: 0.15 },
    ethnicities: { white: 0.62, black: 0.16, hispanic: 0.12, asian: 0.08, indigenous: 0.02 },
  },
];

/**
 * As many hospitals as asked for, an integer >= 1: the four kinds in turn, the later ones numbered (`university-2`). All of
 * a kind are alike, and the kinds differ.
 */
export function hospitals(count: number): HospitalProfile[] {
  return Array.from({ length: count }, (_, index) => {
    const profile = four[index % four.length] ?? four[0];
    const turn = Math.floor(index / four.length) + 1;
    return turn === 1 ? profile : { ...profile, name: `${profile.name}-${turn}` };
  });
}
