import { ParleyError } from '../../../shared/errors.ts';

/** What shadow federations gave: each user trained in about half of them, by that federation's coins. */
export interface Shadows {
  /** Shape (numShadows, numUsers) row-major: each user's statistic, such as the mean margin, under each shadow model. */
  readonly phi: Float64Array;
  /** Same shape: 1 where the user trained. */
  readonly isMember: Uint8Array;
}

/**
 * Where the spread of a Gaussian comes from: each user's own shadows, or one number for all users, the root mean square of
 * the distances to each user's own centre (better below about 64 shadows). Members' and non-members' spreads are always
 * separate (the published code takes the members' for both under a fixed variance).
 */
export type LiraSpread = 'per-user' | 'fixed';

/**
 * Online LiRA (Carlini et al. 2022, equation 4): log N(phi; mu_in, s_in) - log N(phi; mu_out, s_out) of each user, from the
 * target model's statistics, shape (numUsers,). mu is the median over shadows, as in the published code (the paper says
 * mean); s the root mean square around the mean, plus 1e-30.
 *
 * @throws DATA_EMPTY when a user trained in no shadow, or in all of them; with spreads of her own, in fewer than two or in
 * all but one.
 */
export function onlineLira(target: Float64Array, shadows: Shadows, spread: LiraSpread): Float64Array {
  const inside = gaussians(target.length, shadows, { member: 1, spread });
  const outside = gaussians(target.length, shadows, { member: 0, spread });
  return target.map((phi, user) => logDensity(phi, inside[user]) - logDensity(phi, outside[user]));
}

/**
 * Offline LiRA: (phi - mu_out) / s_out, from shadows that did not train on the user only. One-sided as in the paper, whose
 * score is the normal distribution function of it: monotone in it, but 1 for everybody beyond eight standard deviations.
 * (The published code scores -log N(phi; mu_out, s_out), which also takes an unusually low statistic for membership.)
 *
 * @throws DATA_EMPTY as {@link onlineLira}, of shadows without the user.
 */
export function offlineLira(target: Float64Array, shadows: Shadows, spread: LiraSpread): Float64Array {
  const outside = gaussians(target.length, shadows, { member: 0, spread });
  return target.map((phi, user) => {
    const { centre, spread: s } = outside[user] ?? none;
    return (phi - centre) / s;
  });
}

interface Gaussian {
  readonly centre: number;
  readonly spread: number;
}

const none: Gaussian = { centre: Number.NaN, spread: Number.NaN };

function gaussians(
  numUsers: number,
  { phi, isMember }: Shadows,
  { member, spread }: { member: 0 | 1; spread: LiraSpread },
): Gaussian[] {
  const byUser = Array.from({ length: numUsers }, (_, user) => {
    const values: number[] = [];
    for (let at = user; at < phi.length; at += numUsers)
      if (isMember[at] === member) values.push(phi[at] ?? Number.NaN);
    if (values.length < (spread === 'per-user' ? 2 : 1)) throw tooFew(user, member, values.length);
    return Float64Array.from(values);
  });
  if (spread === 'per-user')
    return byUser.map((values) => ({ centre: median(values), spread: rootMeanSquare(values) + 1e-30 }));
  const squares = byUser.reduce((sum, values) => sum + values.length * rootMeanSquare(values) ** 2, 0);
  const count = byUser.reduce((sum, values) => sum + values.length, 0);
  const common = Math.sqrt(squares / count) + 1e-30;
  return byUser.map((values) => ({ centre: median(values), spread: common }));
}

function logDensity(phi: number, { centre, spread }: Gaussian = none): number {
  return -Math.log(spread) - ((phi - centre) / spread) ** 2 / 2;
}

function median(values: Float64Array): number {
  const ascending = values.toSorted();
  const middle = (ascending.length - 1) / 2;
  return ((ascending[Math.floor(middle)] ?? 0) + (ascending[Math.ceil(middle)] ?? 0)) / 2;
}

/** Around the mean, divided by the number of values: numpy's std. */
function rootMeanSquare(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

function tooFew(user: number, member: 0 | 1, count: number): ParleyError {
  return new ParleyError(
    'DATA_EMPTY',
    `user ${user} ${member === 1 ? 'trained' : 'did not train'} in ${count} shadow federation(s): LiRA needs more of them`,
  );
}
