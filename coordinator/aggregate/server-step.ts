import { z } from 'zod';
import { assertNever } from '../../shared/errors.ts';

const rate = z.number().positive();
const decay = z.number().min(0).lt(1);

/** How the mean update moves the model. The mean update plays the part of a negative gradient (Reddi et al. 2021). */
export const ServerOptimizer = z.discriminatedUnion('type', [
  /** McMahan et al. 2017 (arXiv:1602.05629) with a server learning rate; 1 is plain federated averaging. */
  z.strictObject({ type: z.literal('fedavg'), learningRate: rate.default(1) }),
  /** Server momentum, Hsu et al. 2019 (arXiv:1909.06335). */
  z.strictObject({ type: z.literal('fedavgm'), learningRate: rate.default(1), momentum: decay.default(0.9) }),
  /**
   * Algorithm 2 of Reddi et al. 2021 (arXiv:2003.00295), but with moments that start at zero instead of tau^2; with bias
   * correction, which makes up for that start, it is Adam of Kingma and Ba 2015.
   */
  z.strictObject({
    type: z.literal('fedadam'),
    learningRate: rate.default(0.01),
    beta1: decay.default(0.9),
    beta2: decay.default(0.99),
    tau: rate.default(1e-3),
    biasCorrection: z.boolean().default(true),
  }),
]);
export type ServerOptimizer = z.infer<typeof ServerOptimizer>;

/** What the optimizer carries from round to round: `first` and `second` moments, shape (numParams,) or empty. */
export interface OptimizerState {
  readonly steps: number;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** The state before the first step. */
export function initialOptimizerState(optimizer: ServerOptimizer, numParams: number): OptimizerState {
  const momentum = optimizer.type === 'fedavg' ? 0 : numParams;
  const squares = optimizer.type === 'fedadam' ? numParams : 0;
  return { steps: 0, first: new Float64Array(momentum), second: new Float64Array(squares) };
}

export interface Stepped {
  readonly parameters: Float32Array;
  readonly state: OptimizerState;
}

/** One server step: parameters shape (numParams,), mean update of the same shape and in parameter units. Pure. */
export function serverStep(
  optimizer: ServerOptimizer,
  state: OptimizerState,
  parameters: Float32Array,
  mean: Float64Array,
): Stepped {
  const steps = state.steps + 1;
  switch (optimizer.type) {
    case 'fedavg':
      return { parameters: moved(parameters, mean, optimizer.learningRate), state: { ...state, steps } };
    case 'fedavgm': {
      const first = blended(state.first, mean, optimizer.momentum, 1);
      return {
        parameters: moved(parameters, first, optimizer.learningRate),
        state: { ...state, steps, first },
      };
    }
    case 'fedadam': {
      const { beta1, beta2, tau } = optimizer;
      const first = blended(state.first, mean, beta1, 1 - beta1);
      const squares = mean.map((value) => value * value);
      const second = blended(state.second, squares, beta2, 1 - beta2);
      const correct1 = optimizer.biasCorrection ? 1 - beta1 ** steps : 1;
      const correct2 = optimizer.biasCorrection ? 1 - beta2 ** steps : 1;
      const direction = first.map(
        (value, i) => value / correct1 / (Math.sqrt((second[i] ?? 0) / correct2) + tau),
      );
      return {
        parameters: moved(parameters, direction, optimizer.learningRate),
        state: { steps, first, second },
      };
    }
    default:
      return assertNever(optimizer);
  }
}

function moved(parameters: Float32Array, direction: Float64Array, learningRate: number): Float32Array {
  return parameters.map((value, i) => value + learningRate * (direction[i] ?? 0));
}

function blended(old: Float64Array, fresh: Float64Array, keep: number, take: number): Float64Array {
  return old.map((value, i) => keep * value + take * (fresh[i] ?? 0));
}
