import type { RecordFault, RecordReader } from '../../shared/data/read-record.ts';
import { ParleyError } from '../../shared/errors.ts';
import { numFeatures } from '../../shared/model/layout.ts';
import type { ModelSpec } from '../../shared/model/spec.ts';
import { firstUnusable } from '../../shared/model/usable-features.ts';
import { PredictionRequest } from '../../shared/protocol/predictions.ts';

/** The records of a request as the model takes them. */
export interface ReadRecords {
  /** What is wrong with each record; undefined for those that can be answered; shape (numRecords,). */
  readonly faults: readonly (RecordFault | undefined)[];
  /** Inputs of those that can be answered, one after the other, shape (numAnswered, numFeatures). */
  readonly features: Float32Array;
  /** Subpopulations of the same, each shape (numSubpopulations,), -1 where the record does not tell. */
  readonly groups: readonly (readonly number[])[];
}

/** What reading a request needs to know. */
export interface RequestRules {
  readonly reader: RecordReader;
  readonly spec: ModelSpec;
  readonly numSubpopulations: number;
  readonly mostRecords: number;
}

/**
 * A request body, checked as a whole.
 *
 * @throws MESSAGE_INVALID for another body; PAYLOAD_TOO_LARGE for too many records.
 */
export function parsedRequest(body: unknown, { mostRecords, reader }: RequestRules): PredictionRequest {
  const parsed = PredictionRequest.safeParse(body);
  if (!parsed.success)
    throw new ParleyError(
      'MESSAGE_INVALID',
      'the body is not a request: expected {"records": [{"<field>": <value>, ...}, ...]} or {"encoded": [[<number>, ...], ...]}',
    );
  if ('encoded' in parsed.data && !reader.takesEncoded)
    throw new ParleyError(
      'MESSAGE_INVALID',
      'this model takes no vectors of inputs: give records by their fields, as `GET /v1/model` lists them',
    );
  const count = numRecords(parsed.data);
  if (count > mostRecords)
    throw new ParleyError(
      'PAYLOAD_TOO_LARGE',
      `${count} records in one request; at most ${mostRecords} are taken: send several requests`,
    );
  return parsed.data;
}

/** Number of records in a request. */
export function numRecords(request: PredictionRequest): number {
  return 'records' in request ? request.records.length : request.encoded.length;
}

/** The records of a request; a faulty one keeps no other from being answered. */
export function readRecords(request: PredictionRequest, rules: RequestRules): ReadRecords {
  const { reader, spec, numSubpopulations } = rules;
  const width = numFeatures(spec);
  const features = new Float32Array(numRecords(request) * width);
  const unknown = Array.from({ length: numSubpopulations }, () => -1);
  const groups: number[][] = [];
  const read = (fault: (at: number) => RecordFault | undefined, groupsOf: () => number[]) => {
    const at = groups.length * width;
    const found = fault(at) ?? unusable(rules, features.subarray(at, at + width));
    if (found) features.fill(0, at, at + width);
    else groups.push(groupsOf());
    return found;
  };
  const faults =
    'records' in request
      ? request.records.map((record) =>
          read(
            (at) => reader.read(record, features, at),
            () => reader.groups(record),
          ),
        )
      : request.encoded.map((values) =>
          read(
            (at) => reader.readEncoded(values, features, at),
            () => unknown,
          ),
        );
  return { faults, features: features.subarray(0, groups.length * width), groups };
}

/** What the schema allows and the model still cannot take, such as a word number outside its embedding. */
function unusable({ reader, spec }: RequestRules, record: Float32Array): RecordFault | undefined {
  const input = firstUnusable(spec, record);
  if (input < 0) return undefined;
  return {
    field: reader.featureNames[input] ?? '',
    code: 'DATA_VALUE_INVALID',
    message: `the model cannot take ${record[input] ?? NaN}`,
  };
}
