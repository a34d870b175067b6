import { assertNever } from '../../../shared/errors.ts';
import { count, forget, noEvidence } from './evidence.ts';
import { bandOf, type Reference, rememberedSketches } from './reference.ts';
import type { Detector, Ordinary } from './settings.ts';
import { squaredDistance } from './sketch.ts';

/** One record of a query, as the monitor sees it: never the record itself. */
export interface Observation {
  /** Keyed, 32 bytes. */
  readonly digest: Uint8Array;
  /** Shape (sketchWidth,). */
  readonly sketch: Float32Array;
  /** Index into each subpopulation's vocabulary, -1 where the record does not tell; shape (numSubpopulations,). */
  readonly groups: readonly number[];
  /** Of the model's own answer, before any hardening. */
  readonly label: number;
  readonly confidence: number;
}

/** What is remembered of one caller: of fixed size, whatever the caller asks. */
export interface Watch {
  /** Tags of digests by place, 0 where none is, and how often each was asked about; a newer record takes the place of an older one. */
  readonly seen: Uint32Array;
  readonly times: Uint8Array;
  /** Sketches by place, shape (rememberedSketches,), each (sketchWidth,), null where none is. */
  readonly sketches: readonly (Float32Array | null)[];
  /** Logarithms, shape (numTests * evidenceWidth,). */
  readonly evidence: Float64Array;
  /** The newest records in a row that could be one person's: their groups, and how many they are. */
  readonly row: { readonly groups: readonly number[]; readonly length: number };
  /** Copies in a row, up to the newest record. */
  readonly copies: number;
}

/** An alarm: this caller is not an ordinary one. */
export interface Finding {
  readonly detector: Detector;
  /** The group, such as `race=Asian`; null where the detector knows none. */
  readonly group: string | null;
  /** Logarithm of the evidence, nats. */
  readonly evidence: number;
}

/** What is tested of every query, and at which evidence an alarm is raised. */
export interface Monitor {
  readonly tests: readonly Test[];
  /** Nats. */
  readonly limit: number;
  /** Records in a row that could be one person's, of which one counts. */
  readonly perPerson: number;
  readonly reference: Reference | undefined;
}

/** A test counts hits that an ordinary query is with probability at most `ordinary`. */
type Test = EventTest | GroupTest;

interface CommonTest {
  readonly ordinary: number;
  readonly detector: Detector;
  readonly group: string | null;
}

interface EventTest extends CommonTest {
  readonly type: 'repeats' | 'copies';
}

interface GroupTest extends CommonTest {
  readonly type: 'group';
  /** Index of the grouping, and of the value in it. */
  readonly grouping: number;
  readonly value: number;
}

/** A group that makes up more than this of ordinary queries cannot be told from a sweep. */
const largestOrdinary = 0.6;
const smallestOrdinary = 0.01;

/**
 * The tests of one caller: repeats, and with a reference copies and every group that is small enough. The probability that
 * any of them ever raises an alarm about an ordinary caller is at most `falseAlarms`: each gets an equal share of it.
 * `expects` names groups that this caller may ask about at will.
 */
export function monitorOf(
  reference: Reference | undefined,
  { ordinary, falseAlarms }: { readonly ordinary: Ordinary; readonly falseAlarms: number },
  expects: readonly string[] = [],
): Monitor {
  const groups = (reference?.groupings ?? []).flatMap(({ detector, column, values, shares }, grouping) =>
    values.map((name, value): Test => {
      const rate = Math.max(smallestOrdinary, ordinary.concentration * (shares[value] ?? 1));
      return { type: 'group', detector, group: `${column}=${name}`, grouping, value, ordinary: rate };
    }),
  );
  const tests: Test[] = [
    { type: 'repeats', detector: 'repeats', group: null, ordinary: ordinary.repeats },
    ...(reference
      ? [{ type: 'copies', detector: 'copies', group: null, ordinary: ordinary.copies } as const]
      : []),
    ...groups.filter(({ group, ordinary }) => ordinary <= largestOrdinary && !expects.includes(group ?? '')),
  ];
  return { tests, reference, limit: Math.log(tests.length / falseAlarms), perPerson: ordinary.perPerson };
}

const seenPlaces = 4096;

/** So many copies in a row count each; of those that follow, which one person's many records may be, one in `perPerson`. */
const freeCopies = 4;

/** A record may be asked about so often: a request that got lost is sent once more. */
const freeTimes = 2;

/** A caller of whom nothing is known yet. */
export function newWatch({ tests }: Monitor): Watch {
  return {
    seen: new Uint32Array(seenPlaces),
    times: new Uint8Array(seenPlaces),
    sketches: Array.from({ length: rememberedSketches }, () => null),
    evidence: noEvidence(tests.length),
    row: { groups: [], length: 0 },
    copies: 0,
  };
}

/** Look at the records of one request, in order: what is known of the caller afterwards, and what was found. */
export function observed(
  monitor: Monitor,
  before: Watch,
  observations: readonly Observation[],
): { readonly watch: Watch; readonly findings: readonly Finding[] } {
  const watch: Changing = {
    ...{ row: before.row, copies: before.copies },
    seen: before.seen.slice(),
    times: before.times.slice(),
    sketches: before.sketches.slice(),
    evidence: before.evidence.slice(),
  };
  const findings = observations.flatMap((observation) => look(monitor, watch, observation));
  return { watch, findings };
}

type Changing = { -readonly [Key in keyof Watch]: Watch[Key] } & { sketches: (Float32Array | null)[] };

/** Looks at one record; `watch` is changed in place. */
function look(monitor: Monitor, watch: Changing, observation: Observation): Finding[] {
  const places = new DataView(observation.digest.buffer, observation.digest.byteOffset);
  const place = places.getUint32(0) % seenPlaces;
  const tag = (places.getUint32(4) | 1) >>> 0;
  const times = watch.seen[place] === tag ? (watch.times[place] ?? 0) : 0;
  const isRepeat = times > 0;
  watch.seen[place] = tag;
  watch.times[place] = Math.min(times + 1, freeTimes);
  const isCopy = !isRepeat && isNear(monitor, watch, observation.sketch);
  if (!isRepeat) watch.copies = isCopy ? watch.copies + 1 : 0;
  const isCounted = watch.copies <= freeCopies || watch.copies % monitor.perPerson === 0;
  watch.sketches[places.getUint32(8) % rememberedSketches] = observation.sketch;
  if (!isRepeat) watch.row = rowAfter(watch.row, observation.groups);
  const isNewPerson = (watch.row.length - 1) % monitor.perPerson === 0;
  const groups = monitor.reference && isNewPerson ? groupsOf(monitor.reference, observation) : [];
  return monitor.tests.flatMap((test, index) => {
    const isHit = hits(test, {
      isRepeat,
      isOften: times === freeTimes,
      isCopy: isCounted ? isCopy : undefined,
      groups,
    });
    if (isHit === undefined) return [];
    const evidence = count(watch.evidence, index, isHit, test.ordinary);
    if (evidence < monitor.limit) return [];
    forget(watch.evidence, index);
    return [{ detector: test.detector, group: test.group, evidence }];
  });
}

/** Records of one person share their groups; a record whose groups are not known is always somebody else's. */
function rowAfter(row: Watch['row'], groups: readonly number[]): Watch['row'] {
  const isSame =
    groups.some((group) => group >= 0) && groups.every((group, index) => group === row.groups[index]);
  return { groups, length: isSame ? row.length + 1 : 1 };
}

interface Seen {
  readonly isRepeat: boolean;
  /** A repeat that is neither the first nor a retry of it. */
  readonly isOften: boolean;
  /** Undefined where it may be one more record of the person before. */
  readonly isCopy: boolean | undefined;
  /** Value of each grouping, -1 where it is not known; empty where the record may be of the person before. */
  readonly groups: readonly number[];
}

/** Undefined where the query says nothing about the test. */
function hits(test: Test, { isRepeat, isOften, isCopy, groups }: Seen): boolean | undefined {
  switch (test.type) {
    case 'repeats':
      return isOften;
    case 'copies':
      return isRepeat ? undefined : isCopy;
    case 'group': {
      const value = groups[test.grouping] ?? -1;
      return isRepeat || value < 0 ? undefined : value === test.value;
    }
    default:
      return assertNever(test);
  }
}

function groupsOf({ bandLimits }: Reference, { groups, label, confidence }: Observation): number[] {
  return [...groups, label, bandOf(confidence, bandLimits)];
}

function isNear({ reference }: Monitor, { sketches }: Watch, sketch: Float32Array): boolean {
  if (!reference) return false;
  const near = reference.nearSquared;
  return sketches.some((known) => known !== null && squaredDistance(sketch, known, near) <= near);
}
