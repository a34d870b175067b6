import { errorCodes, ParleyError } from '../shared/errors.ts';

/**
 * Whether an error is the coordinator's own: of its machine, of its run directory, or a fault of ours. Its text, which may name
 * paths of the server, is for the coordinator's log; peers hear that it could not go on, and try again later.
 */
export function isOwnFault(error: unknown): boolean {
  return !(error instanceof ParleyError) || isOfMachine(error) || error.code === 'RUN_NOT_FOUND';
}

/** Whether it is the machine that does not let the coordinator go on: once that is mended, the run goes on. */
export function isOfMachine(error: unknown): boolean {
  return error instanceof ParleyError && errorCodes[error.code] === 7;
}
