import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { callerKeyIn } from '../../../coordinator/index.ts';
import { loadText } from '../../../shared/config.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { ParleyError } from '../../../shared/errors.ts';
import { type SurrogateAttack, trainSurrogate } from '../../../shared/model/hardening/surrogate.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import type { Terminal } from '../../terminal.ts';
import type { KnownUsers } from '../model-evidence.ts';
import { type AnsweredPerson, answerAttacks } from './answer-attacks.ts';
import { type Asking, openAsking } from './ask.ts';
import { perturbedCopies } from './copies.ts';
import { type KnownPerson, peopleOfSimulation, peopleOfTables } from './known-people.ts';
import { type AuditedThrough, throughText } from './through-text.ts';

/** What an audit through an endpoint was asked for. */
export interface ThroughOptions {
  /** Address of `parley serve`. */
  readonly through: string;
  /** File with the key to ask with. */
  readonly keyFile: string;
  /** Perturbed copies of each record that are asked about too; 0 asks about none. */
  readonly copies: number;
  /** Where the attack that was trained on answers goes, for MemGuard. */
  readonly surrogate?: string | undefined;
  /** Tables of people whose membership is known, where the target is no simulation. */
  readonly users?: KnownUsers | undefined;
}

const fprs = [0.01];

/**
 * Attack a served model through its endpoint, as any caller could: audit users are asked about with a caller's key, and the attacks
 * see only the answers. Every second user, by a hash of the id, trains an attack; all figures are of the others.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID; DATA_EMPTY without enough audit users; what asking and reading the users throws.
 */
export async function throughCommand(
  target: string,
  options: ThroughOptions,
  terminal: Terminal,
): Promise<void> {
  const key = keyOf(options.keyFile);
  const people = options.users ? await peopleOfTables(options.users) : await peopleOfSimulation(target);
  const asking = openAsking(options.through, key);
  const answered = await allAnswered(people, asking);
  const known = answered.filter((_, person) => isKnown(people[person]));
  const attacked = answered.filter((_, person) => !isKnown(people[person]));
  const trained = trainedOn(known);
  if (options.surrogate !== undefined) writeFileSync(options.surrogate, `${JSON.stringify(trained)}\n`);
  const { robust, notMeasured } = await withRobustness(
    { people: people.filter((person) => !isKnown(person)), answered: attacked },
    { asking, copies: options.copies, rng: seededRng(Seed.parse(1)).fork('copies') },
  );
  const audited: AuditedThrough = {
    title: `${target} through ${options.through}`,
    members: attacked.filter(({ isMember }) => isMember).length,
    heldOut: attacked.filter(({ isMember }) => !isMember).length,
    trainedOn: known.length,
    attacks: answerAttacks(robust, trained, fprs),
    notMeasured,
    heard: asking.heard(),
  };
  terminal.say(throughText(audited));
  terminal.emit({ through: audited });
}

/** The key in a file. No message has any of the file's content, which may be another secret. */
function keyOf(keyFile: string): string {
  const key = callerKeyIn(loadText(keyFile, (path) => readFileSync(path, 'utf8')));
  if (key !== undefined) return key;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${keyFile} (--key-file) holds no key of a caller: expected the key alone, parley- and 43 characters, or the two lines that ` +
      '`parley serve-key` printed',
  );
}

/** Which half of the people an attacker knows the membership of. */
function isKnown(person: KnownPerson | undefined): boolean {
  return Number.parseInt(sha256(person?.id ?? '').slice(0, 1), 16) % 2 === 0;
}

async function allAnswered(people: readonly KnownPerson[], asking: Asking): Promise<AnsweredPerson[]> {
  const answers = await asking.ask(people.flatMap(({ records }) => records));
  let next = 0;
  return people.map(({ isMember, labels }) => {
    const own = answers.slice(next, next + labels.length);
    next += labels.length;
    return { isMember, labels, answers: own };
  });
}

function trainedOn(known: readonly AnsweredPerson[]): SurrogateAttack {
  const of = (isMember: boolean): Float64Array[] =>
    known
      .filter((person) => person.isMember === isMember)
      .flatMap(({ answers }) => answers.map(({ probabilities }) => probabilities));
  const [members, heldOut] = [of(true), of(false)];
  if (members.length === 0 || heldOut.length === 0)
    throw new ParleyError(
      'DATA_EMPTY',
      'the half of the audit users that trains an attack has no member or no held-out user: give more of them',
    );
  return trainSurrogate({ members, heldOut }, seededRng(Seed.parse(1)).fork('attack on answers'));
}

interface Attacked {
  readonly people: readonly KnownPerson[];
  readonly answered: readonly AnsweredPerson[];
}

/** The same people with the share of copies that keep the true class; without it where the endpoint does not go along. */
async function withRobustness(
  { people, answered }: Attacked,
  { asking, copies, rng }: { readonly asking: Asking; readonly copies: number; readonly rng: Rng },
): Promise<{ readonly robust: readonly AnsweredPerson[]; readonly notMeasured: string | null }> {
  if (copies === 0) return { robust: answered, notMeasured: null };
  const others = people.flatMap(({ records }) => records);
  const robust: AnsweredPerson[] = [];
  try {
    for (const [index, person] of answered.entries()) {
      const robustness: number[] = [];
      for (const [record, cells] of (people[index]?.records ?? []).entries()) {
        const given = await asking.ask(perturbedCopies(cells, others, copies, rng));
        const kept = given.filter(({ label }) => label === person.labels[record]).length;
        robustness.push(kept / copies);
      }
      robust.push({ ...person, robustness });
    }
    return { robust, notMeasured: null };
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    return { robust: answered, notMeasured: error.message };
  }
}

/**
 * The options of `parley audit` that go with an endpoint, checked.
 *
 * @throws CONFIG_INVALID for a key or tables that are missing; FILE_NOT_FOUND.
 */
export function throughOptions(
  target: string,
  given: Omit<ThroughOptions, 'keyFile' | 'copies' | 'users'> & {
    readonly keyFile?: string | undefined;
    readonly copies?: number | undefined;
    readonly schema?: string | undefined;
    readonly members?: string | undefined;
    readonly heldOut?: string | undefined;
  },
): ThroughOptions {
  const { through, keyFile, copies = 0, surrogate, schema, members, heldOut } = given;
  if (keyFile === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      '--through asks with the key of a caller: name its file with --key-file',
    );
  const isRun = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isRun) return { through, keyFile, copies, surrogate };
  if (schema === undefined || members === undefined || heldOut === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      `${target}: people whose membership is known are needed: give --schema, --members and --held-out, or the directory of a simulation`,
    );
  return { through, keyFile, copies, surrogate, users: { schema, members, heldOut } };
}
