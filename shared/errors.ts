/**
 * Every expected failure carries a code from this table. Each code has one heading in docs/errors.md (a test binds them).
 * The exit code is what the `parley` command ends with when the failure stops it: 2 usage and configuration, 3 data,
 * 4 privacy refusals, 5 wire and identity, 6 the run itself, 7 the machine.
 */
export const errorCodes = {
  CONFIG_INVALID: 2,
  FILE_NOT_FOUND: 2,
  MODEL_INVALID: 2,
  DATA_SCHEMA_INVALID: 3,
  DATA_COLUMN_MISSING: 3,
  DATA_VALUE_INVALID: 3,
  DATA_UNKNOWN_CATEGORY: 3,
  DATA_EMPTY: 3,
  DATA_FETCH_FAILED: 3,
  DATA_HASH_MISMATCH: 3,
  LINKAGE_INVALID: 3,
  BUDGET_EXCEEDED: 4,
  POLICY_REFUSED: 4,
  LEDGER_CORRUPT: 4,
  LEDGER_ROLLBACK: 4,
  RELEASE_FORFEITED: 4,
  CALIBRATION_IMPOSSIBLE: 4,
  EVENT_UNSUPPORTED: 4,
  NOISE_IMPLAUSIBLE: 4,
  PRIVACY_BROKEN: 4,
  CALLER_BLOCKED: 4,
  QUERY_BUDGET_SPENT: 4,
  QUERY_LOG_CORRUPT: 4,
  UNKNOWN_KEY: 5,
  BAD_SIGNATURE: 5,
  PROTOCOL_MISMATCH: 5,
  MESSAGE_INVALID: 5,
  NOT_AUTHENTICATED: 5,
  STALE_ROUND: 5,
  EQUIVOCATION: 5,
  WRONG_SHAPE: 5,
  NON_FINITE: 5,
  PAYLOAD_TOO_LARGE: 5,
  CORRUPT_CHUNK: 5,
  MODEL_HASH_MISMATCH: 5,
  UNKNOWN_BLOB: 5,
  INSECURE_URL: 5,
  CONNECTION_LOST: 5,
  ROUND_QUORUM_LOST: 6,
  LEAKAGE_LIMIT: 6,
  RUN_FAILED: 6,
  RUN_MISMATCH: 6,
  RUN_NOT_FOUND: 6,
  INTERRUPTED: 6,
  PORT_IN_USE: 7,
  DIRECTORY_UNWRITABLE: 7,
  BACKEND_UNAVAILABLE: 7,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An expected failure: what went wrong, where, what was expected and what to do, under one documented code. */
export class ParleyError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'ParleyError';
    this.code = code;
  }
}

/** Close a switch over a union: reaching it is a programming fault, and the compiler reports it first. */
export function assertNever(value: never): never {
  throw new TypeError(`unreachable: ${JSON.stringify(value)}`);
}
