import { assertNever } from '../shared/errors.ts';
import type { AttackerBounds, BudgetAnswer, Cost, ViewCost } from './budget-answer.ts';

/**
 * The answer as lines that a data protection officer can read. Figures are rounded to the unfavourable side, so that nobody
 * reads a promise that was not made.
 */
export function budgetWords(answer: BudgetAnswer): readonly string[] {
  const { epsilon, delta, views } = answer;
  return [
    headline(answer),
    '',
    'Protected: one user, with all records at the site, added or removed.',
    `How sure that is: ${certainty(epsilon, delta)}`,
    '',
    ...(views
      ? [
          'Against the coordinator, who sees each release of the site:',
          ...viewLines(views.coordinator, delta),
          '',
          `Against model recipients, who see the global models only (${crowd(answer)}):`,
          ...viewLines(views.recipients, delta),
        ]
      : [
          'What that means for one user, against somebody who sees each release of the site:',
          ...attackLines(answer.attacker),
        ]),
    '',
    'These are bounds on every attack there is, by somebody who knows all other data. An audit measures single attacks.',
  ];
}

function headline(answer: BudgetAnswer): string {
  const { noiseMultiplier, samplingRate, rounds, delta, epsilon, targetEpsilon, solved } = answer;
  const plan = {
    noiseMultiplier: `noise multiplier ${up(noiseMultiplier)}`,
    samplingRate: samplingRate === 1 ? 'all users in every round' : `sampling rate ${down(samplingRate)}`,
    rounds: roundsText(rounds),
  };
  const parts = Object.values(plan).join(', ');
  const cost = `epsilon ${up3(epsilon.pld)} at delta ${up(delta)}`;
  switch (solved) {
    case 'epsilon':
      return `This plan costs ${cost}: ${parts}.`;
    case 'delta':
      return `Within epsilon ${targetEpsilon ?? ''}: delta ${up(delta)} (solved); ${parts}. This costs ${cost}.`;
    case 'noiseMultiplier':
    case 'samplingRate':
    case 'rounds':
      return `Within epsilon ${targetEpsilon ?? ''} at delta ${up(delta)}: ${plan[solved]} (solved); ${parts}. This costs ${cost}.`;
    default:
      return assertNever(solved);
  }
}

function roundsText(rounds: number): string {
  if (rounds === Infinity) return 'any number of rounds (counted: 2^40)';
  return rounds === 1 ? '1 round' : `${rounds} rounds`;
}

function certainty({ pld, pldLower, rdp }: Cost, delta: number): string {
  const [low, high] = [down3(pldLower), up3(pld)];
  const range =
    low === high
      ? `the true epsilon is ${high} to three decimals`
      : `the true epsilon lies between ${low} and ${high}`;
  return `${range}, at delta ${up(delta)}. By Renyi divergences, as many other tools count, it would be ${up3(rdp)}.`;
}

function viewLines(view: ViewCost, delta: number): readonly string[] {
  return [
    `  epsilon ${up3(view.pld)} at delta ${up(delta)} (not below ${down3(view.pldLower)}; by Renyi divergences ${up3(view.rdp)})`,
    ...attackLines(view.attacker),
  ];
}

function attackLines(bounds: AttackerBounds): readonly string[] {
  const { tprAt1PercentFpr, tprAt01PercentFpr, accuracy, fromEpsilonAlone: alone } = bounds;
  return [
    `  an attacker who accuses 1 of 100 non-members catches at most ${ofHundred(tprAt1PercentFpr)} of 100 members ` +
      `(blind guessing: 1; epsilon alone would allow ${ofHundred(alone.tprAt1PercentFpr)})`,
    `  one who accuses 1 of 1000 non-members catches at most ${ofHundred(tprAt01PercentFpr)} of 100 members ` +
      `(blind guessing: 0.1; epsilon alone would allow ${ofHundred(alone.tprAt01PercentFpr)})`,
    `  one who has to tell a member from a non-member is right at most ${ofHundred(accuracy)} times of 100 (blind guessing: 50)`,
  ];
}

function crowd({ sites = 1, answeringSites = sites, colluding = 1 }: BudgetAnswer): string {
  const honest = Math.max(1, answeringSites - colluding);
  return `${answeringSites} of ${sites} sites answer, ${colluding} of them may collude: the noise of ${honest} counts`;
}

function ofHundred(share: number): string {
  return `${Math.min(100, Math.ceil(1000 * share - 1e-9) / 10)}`;
}

function up3(value: number): string {
  return value === Infinity ? 'infinite' : (Math.ceil(1000 * value - 1e-9) / 1000).toFixed(3);
}

function down3(value: number): string {
  return value === Infinity ? 'infinite' : (Math.floor(1000 * value + 1e-9) / 1000).toFixed(3);
}

/** Five significant digits, rounded up; a value that has no more of them stays as it is. */
function up(value: number): string {
  return rounded(value, Math.ceil);
}

function down(value: number): string {
  return rounded(value, Math.floor);
}

function rounded(value: number, towards: (value: number) => number): string {
  const nearest = Number(value.toPrecision(5));
  if (Math.abs(nearest - value) <= 1e-12 * Math.abs(value)) return `${nearest}`;
  const unit = 10 ** (Math.floor(Math.log10(value)) - 4);
  return `${Number((towards(value / unit) * unit).toPrecision(5))}`;
}
