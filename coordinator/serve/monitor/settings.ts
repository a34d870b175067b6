import { z } from 'zod';

const rate = z.number().gt(0).lt(1);

/** What the monitor looks for. */
export const detectors = ['repeats', 'copies', 'subpopulation', 'calibration'] as const;

/** The same record again and again; perturbed copies; sweeps through one subpopulation; answers unlike the population's. */
export type Detector = (typeof detectors)[number];

/** How a caller queries who means no harm: for each query the largest probability, given all before it. */
export const Ordinary = z.strictObject({
  /** That a record is one that the caller has asked about twice before; asking once more, as after a lost answer, is free. */
  repeats: rate.default(0.2),
  /** That it is nearly one: a patient who came again. */
  copies: rate.default(0.2),
  /** How many times the reference's share a group's share may be, of persons. */
  concentration: z.number().gt(1).default(3),
  /** One person's records that may come in a row: of so many in a row with the same groups, one counts for the shares. */
  perPerson: z.number().int().positive().default(10),
});
export type Ordinary = z.infer<typeof Ordinary>;

const Action = z.enum(['warn', 'harden', 'block']);
export type Action = z.infer<typeof Action>;

/** What a detector's first, second, ... alarm about a caller leads to; the last entry stands for all that follow. */
const actions = z.array(Action).min(1).max(8);

/** How the monitor answers. */
export const MonitorPolicy = z.strictObject({
  repeats: actions.default(['harden', 'block']),
  copies: actions.default(['harden', 'block']),
  subpopulation: actions.default(['warn', 'harden']),
  calibration: actions.default(['warn', 'harden']),
});
export type MonitorPolicy = z.infer<typeof MonitorPolicy>;

/** The monitor's part of a configuration. */
export const MonitorSettings = z.strictObject({
  /** Probability that it ever raises an alarm about any of the callers, were all of them ordinary; from one start to the next. */
  falseAlarms: rate.default(0.01),
  ordinary: Ordinary.prefault({}),
  /** A table by the schema that is like what ordinary callers ask about: public, or of people outside the promise. */
  reference: z.string().optional(),
  policy: MonitorPolicy.prefault({}),
});
export type MonitorSettings = z.infer<typeof MonitorSettings>;
