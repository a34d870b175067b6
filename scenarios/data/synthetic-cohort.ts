import { formatCsv } from '../../shared/data/csv.ts';
import type { Table } from '../../shared/data/table.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { chance, clamp, logit, normal, sigmoid, weighted } from './draws.ts';
import type { Ethnicity, HospitalProfile, Ward } from './hospitals.ts';

/**
 * A made-up cohort of in-patients: nobody's data, so scenarios can show everything. Its schema is
 * catalog/schemas/hospital-cohort.yaml, and its rows go the way of real ones, through a CSV file and the same encoder.
 *
 * Every patient has persistent traits and levels of his own, so his visits resemble one another and a user-level attack
 * has something to find. The outcome depends on the columns partly by interactions and partly on what no column shows.
 */

/** What to make: hospitals, users at each, and the stream that decides everything. */
export interface CohortOptions {
  readonly rng: Rng;
  readonly sites: readonly HospitalProfile[];
  /** Patients at each site, an integer >= 1. */
  readonly usersPerSite: number;
}

/** One hospital's table, ready for `encodeTable` or, as text, for a file. */
export interface CohortSite {
  readonly site: string;
  readonly table: Table;
}

/**
 * The cohort's tables, one for each hospital in the order given. The stream is forked by site and patient, so a larger
 * cohort begins with the same patients as a smaller one from the same seed.
 */
export function syntheticCohort({ rng, sites, usersPerSite }: CohortOptions): CohortSite[] {
  return sites.map((profile) => {
    const siteRng = rng.fork(`site/${profile.name}`);
    const visits = Array.from({ length: usersPerSite }, (_, index) => {
      const id = `${profile.name}-${String(index + 1).padStart(6, '0')}`;
      return patientRows(siteRng.fork(`patient/${index}`), profile, id);
    });
    const rows = byVisit(visits);
    return {
      site: profile.name,
      table: { source: `synthetic cohort, ${profile.name}`, header: cohortColumns, rows },
    };
  });
}

/** A site's table as the text of a CSV file. */
export function cohortCsv({ table }: CohortSite): string {
  return formatCsv(table);
}

/** Columns of the cohort's files. */
export const cohortColumns = [
  'patient_id',
  'visit',
  'sex',
  'age',
  'ethnicity',
  'ward',
  'admission',
  'smoker',
  'diabetes',
  'heart_failure',
  'prior_admissions',
  'length_of_stay',
  'medications',
  'heart_rate',
  'systolic_pressure',
  'respiratory_rate',
  'temperature',
  'oxygen_saturation',
  'creatinine',
  'sodium',
  'haemoglobin',
  'white_cells',
  'glucose',
  'lactate',
  'readmitted',
] as const;

type Admission = 'emergency' | 'elective' | 'transfer';

/** What stays the same over a patient's visits. */
interface Patient {
  readonly id: string;
  readonly profile: HospitalProfile;
  readonly female: boolean;
  readonly age: number;
  readonly ethnicity: Ethnicity;
  readonly ward: Ward;
  /** General state of health, mean 0 and standard deviation 1 over the population; larger is worse. */
  readonly frailty: number;
  readonly smoker: boolean;
  readonly diabetes: boolean;
  readonly heartFailure: boolean;
  /** Log-odds of the outcome that no column shows. */
  readonly hidden: number;
  /** The patient's own level of each measurement, in standard deviations. */
  readonly levels: ReadonlyMap<string, number>;
}

/** Visits interleaved over patients, as a hospital's register is: a user's rows are not neighbours. */
function byVisit(patients: readonly (readonly string[][])[]): string[][] {
  const most = Math.max(...patients.map((visits) => visits.length));
  return Array.from({ length: most }, (_, visit) =>
    patients.flatMap((visits) => {
      const row = visits[visit];
      return row === undefined ? [] : [row];
    }),
  ).flat();
}

function patientRows(rng: Rng, profile: HospitalProfile, id: string): string[][] {
  const patient = drawPatient(rng, profile, id);
  const again = sigmoid(0.6 * patient.frailty - 0.4);
  const rows = [visitRow(rng, patient, 1)];
  while (rows.length < 6 && chance(rng, again)) rows.push(visitRow(rng, patient, rows.length + 1));
  return rows;
}

function drawPatient(rng: Rng, profile: HospitalProfile, id: string): Patient {
  const age = clamp(profile.age.mean + profile.age.standardDeviation * normal(rng), 18, 98);
  const frailty = profile.frailty + normal(rng);
  return {
    id,
    profile,
    age,
    frailty,
    female: chance(rng, profile.female),
    ethnicity: weighted(rng, profile.ethnicities),
    ward: weighted(rng, profile.wards),
    smoker: chance(rng, sigmoid(-1.2 + 0.3 * frailty)),
    diabetes: chance(rng, sigmoid(-1.3 + 0.5 * frailty + 0.02 * (age - 60))),
    heartFailure: chance(rng, sigmoid(-1.9 + 0.6 * frailty + 0.04 * (age - 60))),
    hidden: 0.5 * normal(rng),
    levels: new Map(measurements.map(({ column }) => [column, normal(rng)])),
  };
}

/** A measurement: population mean, standard deviation, how much of it is frailty, and decimals in the file. */
interface Measurement {
  readonly column: string;
  readonly mean: number;
  readonly deviation: number;
  readonly frailty: number;
  readonly decimals: number;
}

const measurements: readonly Measurement[] = [
  { column: 'heart_rate', mean: 84, deviation: 15, frailty: 0.4, decimals: 0 },
  { column: 'systolic_pressure', mean: 130, deviation: 20, frailty: -0.3, decimals: 0 },
  { column: 'respiratory_rate', mean: 18, deviation: 4, frailty: 0.4, decimals: 0 },
  { column: 'temperature', mean: 36.9, deviation: 0.6, frailty: 0.1, decimals: 1 },
  { column: 'oxygen_saturation', mean: 95.5, deviation: 2.5, frailty: -0.4, decimals: 0 },
  { column: 'creatinine', mean: 1.2, deviation: 0.45, frailty: 0.5, decimals: 2 },
  { column: 'sodium', mean: 138, deviation: 4, frailty: -0.2, decimals: 0 },
  { column: 'haemoglobin', mean: 12.5, deviation: 2, frailty: -0.4, decimals: 1 },
  { column: 'white_cells', mean: 9, deviation: 3, frailty: 0.3, decimals: 1 },
  { column: 'glucose', mean: 130, deviation: 40, frailty: 0.2, decimals: 0 },
  { column: 'lactate', mean: 1.8, deviation: 0.8, frailty: 0.5, decimals: 1 },
];

/** One visit's measurements in standard deviations: frailty, the patient's own level, and the day. */
function drawMeasurements(rng: Rng, { frailty, levels }: Patient): Map<string, number> {
  return new Map(
    measurements.map(({ column, frailty: loading }) => {
      const rest = Math.sqrt(1 - loading ** 2);
      return [column, loading * frailty + rest * (0.8 * (levels.get(column) ?? 0) + 0.6 * normal(rng))];
    }),
  );
}

function visitRow(rng: Rng, patient: Patient, visit: number): string[] {
  const ward = chance(rng, 0.8) ? patient.ward : weighted(rng, patient.profile.wards);
  const admission = drawAdmission(rng, patient, ward);
  const measured = drawMeasurements(rng, patient);
  const prior = Math.min(Math.floor(Math.exp(0.5 * patient.frailty + 0.6 * normal(rng))) + visit - 1, 20);
  const days = clamp(Math.round(Math.exp(1.3 + 0.25 * patient.frailty + 0.5 * normal(rng))), 1, 60);
  const medications = clamp(Math.round(8 + 3 * patient.frailty + 2 * normal(rng)), 0, 40);
  const logOdds = outcomeLogOdds(patient, { ward, admission, measured, prior, days });
  const outcome = chance(rng, sigmoid(logOdds));
  const withLactate = chance(rng, sigmoid(logit(patient.profile.lactateMeasured) + 0.8 * patient.frailty));
  return [
    patient.id,
    String(visit),
    patient.female ? 'female' : 'male',
    String(Math.floor(patient.age)),
    patient.ethnicity,
    ward,
    admission,
    ...[patient.smoker, patient.diabetes, patient.heartFailure].map(yesNo),
    ...[prior, days, medications].map(String),
    ...measurements.map((measurement) =>
      measurement.column === 'lactate' && !withLactate
        ? ''
        : inUnits(measurement, measured.get(measurement.column) ?? 0),
    ),
    yesNo(outcome),
  ];
}

function drawAdmission(rng: Rng, patient: Patient, ward: Ward): Admission {
  const planned = ward === 'surgical' ? 0.5 : ward === 'intensive' ? 0.05 : 0.2;
  return weighted(rng, {
    emergency: 1 - planned + 0.1 * Math.max(0, patient.frailty),
    elective: planned,
    transfer: 0.12,
  });
}

interface Visit {
  readonly ward: Ward;
  readonly admission: Admission;
  readonly measured: ReadonlyMap<string, number>;
  readonly prior: number;
  readonly days: number;
}

/** Log-odds of readmission: a linear part, interactions that a linear model cannot follow, and what no column shows. */
function outcomeLogOdds(patient: Patient, { ward, admission, measured, prior, days }: Visit): number {
  const z = (column: string): number => measured.get(column) ?? 0;
  const linear =
    0.75 * Math.log1p(prior) +
    0.35 * z('creatinine') +
    0.3 * z('respiratory_rate') -
    0.3 * z('haemoglobin') -
    0.25 * z('oxygen_saturation') +
    0.02 * (patient.age - 62) +
    0.25 * Math.log(days) +
    (admission === 'emergency' ? 0.35 : 0) +
    (ward === 'intensive' ? 0.4 : 0);
  const interactions =
    (patient.heartFailure && ward === 'cardiac' ? 0.9 : 0) +
    (patient.diabetes ? 0.5 * z('glucose') : 0) +
    0.3 * (z('sodium') ** 2 - 1) +
    (patient.smoker ? -0.4 * z('oxygen_saturation') : 0) +
    0.35 * z('heart_rate') * z('lactate');
  return -3.1 + patient.profile.outcomeShift + linear + interactions + patient.hidden;
}

function inUnits({ mean, deviation, decimals, column }: Measurement, value: number): string {
  const [low, high] = column === 'oxygen_saturation' ? [60, 100] : [mean / 10, mean * 6];
  return clamp(mean + deviation * value, low, high).toFixed(decimals);
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}
