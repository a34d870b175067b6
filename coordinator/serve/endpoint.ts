import { ParleyError } from '../../shared/errors.ts';
import type { Answer } from '../../shared/model/hardening/answer.ts';
import { numFeatures } from '../../shared/model/layout.ts';
import { addLogits, type OutputSource } from '../../shared/model/output-source.ts';
import { type ModelSpec, numClasses } from '../../shared/model/spec.ts';
import type { PredictionReply } from '../../shared/protocol/predictions.ts';
import { answersOf, type Harden } from './answers.ts';
import { leftOf, mostRecords, type QueryBudget } from './budget.ts';
import type { MonitorPolicy } from './monitor/settings.ts';
import type { Sketcher } from './monitor/sketch.ts';
import { type Monitor, newWatch, type Observation, observed, type Watch } from './monitor/watch.ts';
import { type CallerHistory, type Content, historyAfter } from './query-log.ts';
import {
  numRecords,
  parsedRequest,
  type ReadRecords,
  type RequestRules,
  readRecords,
} from './read-request.ts';
import { replyOf } from './reply.ts';
import { type Alarm, judged } from './standing.ts';

/** A caller as the endpoint knows it. */
export interface Caller {
  readonly id: string;
  readonly budget: QueryBudget;
  readonly policy: MonitorPolicy;
  readonly monitor: Monitor;
  readonly harden: Harden;
}

/** What the endpoint is made of. */
export interface EndpointParts extends RequestRules {
  readonly source: OutputSource;
  readonly spec: ModelSpec;
  readonly sketcher: Sketcher;
  /** Hardens the answers to callers whom the monitor has switched. */
  readonly hardenFurther: Harden;
  /** What the log knows of each caller. */
  readonly histories: ReadonlyMap<string, CallerHistory>;
  /** Keeps a line of the log before anything is answered; gives its position. */
  readonly keep: (content: Content) => number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Lets other work pass. */
  readonly pause: () => Promise<void>;
}

/** Answers requests of callers who have shown their key. */
export interface Endpoint {
  /**
   * @throws MESSAGE_INVALID, PAYLOAD_TOO_LARGE for a body that is no request; CALLER_BLOCKED; QUERY_BUDGET_SPENT; what keeping
   * the log throws.
   */
  readonly predict: (caller: Caller, body: unknown) => Promise<PredictionReply>;
}

const batchRecords = 256;
const hardenedAtOnce = 64;

/** An endpoint. All of its state is one history and one watch for each caller. */
export function createEndpoint(parts: EndpointParts): Endpoint {
  const histories = new Map(parts.histories);
  const watches = new Map<string, Watch>();
  const historyOf = ({ id }: Caller): CallerHistory => {
    const history = histories.get(id);
    if (history === undefined) throw new TypeError(`no history of caller ${id}`);
    return history;
  };
  // From here to the log nothing else runs: two requests at once cannot spend the same budget.
  const admit = (caller: Caller, records: ReadRecords, answers: readonly Observation[]): readonly Alarm[] => {
    const before = historyOf(caller);
    assertServed(caller, before, { records: answers.length, timeMs: parts.now() });
    const watch = watches.get(caller.id) ?? newWatch(caller.monitor);
    const seen = observed(caller.monitor, watch, answers);
    const alarms = judged(seen.findings, before.alarms, caller.policy);
    const isBlocked = alarms.some(({ action }) => action === 'block');
    const content = {
      type: 'query' as const,
      ...{ timeMs: parts.now(), caller: caller.id, records: records.faults.length },
      ...{ answered: isBlocked ? 0 : answers.length, alarms: [...alarms] },
    };
    const position = parts.keep(content);
    watches.set(caller.id, seen.watch);
    histories.set(caller.id, historyAfter(before, content, { position }));
    if (isBlocked) throw blocked(caller, alarms);
    return alarms;
  };
  return {
    predict: async (caller, body) => {
      const request = parsedRequest(body, parts);
      assertServed(caller, historyOf(caller), { records: numRecords(request), timeMs: parts.now() });
      const records = readRecords(request, parts);
      const answers = answersOf(await logitsOf(parts, records), numClasses(parts.spec));
      const observations = observationsOf(parts, records, answers);
      const alarms = admit(caller, records, observations);
      const history = historyOf(caller);
      const harden = history.standing === 'hardened' ? parts.hardenFurther : caller.harden;
      const given = await hardenedAnswers(answers, observations, { harden, pause: parts.pause });
      const left = leftOf(caller.budget, history.spent, parts.now());
      return replyOf({ faults: records.faults, answers: given, alarms, standing: history.standing, left });
    },
  };
}

async function logitsOf({ spec, source, pause }: EndpointParts, { features, groups }: ReadRecords) {
  const width = numFeatures(spec);
  const values = new Float64Array(groups.length * numClasses(spec));
  for (let start = 0; start < groups.length; start += batchRecords) {
    const { logits } = source.run(features.subarray(start * width, (start + batchRecords) * width));
    addLogits(spec, values, logits, start);
    await pause();
  }
  return values;
}

function observationsOf(
  { spec, sketcher }: EndpointParts,
  { features, groups }: ReadRecords,
  answers: readonly Answer[],
): Observation[] {
  const width = numFeatures(spec);
  return answers.map(({ label, probabilities }, index) => {
    const record = features.subarray(index * width, (index + 1) * width);
    return {
      digest: sketcher.digest(record),
      sketch: sketcher.sketch(record),
      groups: groups[index] ?? [],
      ...{ label, confidence: probabilities[label] ?? 0 },
    };
  });
}

async function hardenedAnswers(
  answers: readonly Answer[],
  observations: readonly Observation[],
  { harden, pause }: { readonly harden: Harden; readonly pause: () => Promise<void> },
): Promise<Answer[]> {
  const given: Answer[] = [];
  for (const [index, { digest }] of observations.entries()) {
    const answer = answers[index];
    if (answer) given.push(harden(answer, digest));
    if (index % hardenedAtOnce === hardenedAtOnce - 1) await pause();
  }
  return given;
}

function assertServed(
  caller: Caller,
  { standing, spent }: CallerHistory,
  { records, timeMs }: { readonly records: number; readonly timeMs: number },
): void {
  if (standing === 'blocked') throw blocked(caller, []);
  const left = leftOf(caller.budget, spent, timeMs);
  if (records <= mostRecords(left)) return;
  throw new ParleyError(
    'QUERY_BUDGET_SPENT',
    `${records} records are asked about; caller ${caller.id} has ${left.total ?? 'any number of'} left in all and ` +
      `${left.today ?? 'any number'} today: ask about fewer, wait until midnight UTC, or agree on more with whoever runs the server`,
  );
}

function blocked({ id }: Caller, alarms: readonly Alarm[]): ParleyError {
  const reasons = alarms
    .filter(({ action }) => action === 'block')
    .map(({ detector, group }) => (group === null ? detector : `${detector} (${group})`));
  return new ParleyError(
    'CALLER_BLOCKED',
    `caller ${id} is blocked: its queries look like an attempt to find out whose records trained the model` +
      `${reasons.length > 0 ? `, by ${reasons.join(', ')}` : ''}. If they are not, talk to whoever runs the server`,
  );
}
