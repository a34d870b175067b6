/** A figure that is not known exactly: the true value lies in [lower, upper]. */
export interface Bounds<T extends number = number> {
  readonly lower: T;
  readonly upper: T;
}

/** The delta of one ledger as a function of epsilon. */
export interface PrivacyProfile {
  /**
   * In [0, 1], at any epsilon in nats, negative and infinite ones too. `lower` and `upper` hold for the worse direction;
   * `removing` has the user's data in the first hypothesis (P[member's run in S] - e^epsilon P[run without the member in S]),
   * `adding` the other way round.
   */
  delta(epsilon: number): Bounds & { readonly removing: Bounds; readonly adding: Bounds };
}
