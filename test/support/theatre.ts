import { onTestFinished } from 'vitest';
import { launchClient } from '../../client/index.ts';
import type { ReleasePoint } from '../../client/site.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';
import { aFederation, type FederationFiles } from './a-federation.ts';
import { type Doors, openDoors } from './doors.ts';
import { drawnEnds, type End, type Life, warmedUp } from './lives.ts';
import { oneFile } from './one-file.ts';
import { aWitness, type Witness, watchedRun } from './watched-run.ts';

/** Every step of a release at which a client can end. */
export const points: readonly ReleasePoint[] = [
  ...(['planned', 'within-budget', 'noise-drawn', 'trained', 'committing', 'committed'] as const),
  ...(['offered', 'half-sent', 'sent', 'received'] as const),
];
/** One of the hospitals. */
export type Site = FederationFiles['sites'][number];

/** Where clients are killed and begin again while somebody watches what they send. */
export interface Theatre {
  /** What the processes run. */
  readonly program: string;
  readonly files: FederationFiles;
  readonly witness: Witness;
  /** Those still to come. */
  readonly ends: End[];
  readonly lived: End[];
  /** The process that a site is now. */
  readonly alive: Map<string, Life>;
  readonly doors: Doors;
}

/** How often clients are to be killed, and how many rounds a run has. */
export interface Play {
  readonly kills: number;
  readonly rounds: number;
}

/** Three hospitals with secure noise, and a model whose updates take two chunks. */
export async function aTheatre({ kills, rounds }: Play): Promise<Theatre> {
  const files = await aFederation({
    federation: {
      rounds,
      model: {
        inputShape: [27],
        layers: [{ type: 'dense', units: 4700, activation: 'relu' }],
        output: { type: 'sigmoid' },
      },
      cohort: { minSites: 1 },
      deadlines: { answerAfterMs: 200 },
    },
    policy: { minSites: 1, maxEpsilon: 1e6 },
  });
  const ends = drawnEnds(kills, points, seededRng(Seed.parse(4)));
  const theatre: Theatre = {
    program: oneFile('test/support/doomed-client.ts'),
    ...{ files, ends, lived: [], witness: aWitness(), alive: new Map(), doors: openDoors() },
  };
  onTestFinished(() => {
    for (const life of theatre.alive.values()) life.kill();
  });
  return theatre;
}

/** One site is a process that ends and begins again, until the run is over. */
async function inhabit(site: Site, theatre: Theatre, over: AbortSignal): Promise<void> {
  const { program, ends, lived, alive } = theatre;
  let spare = warmedUp(program);
  try {
    for (;;) {
      const [life, end] = [spare, ends.pop()];
      alive.set(site.id, life);
      spare = warmedUp(program);
      const signal = await life.live(site.config, end);
      const wasOver = over.aborted || signal === null;
      if (end) (wasOver ? ends : lived).push(end);
      if (wasOver) return;
    }
  } finally {
    spare.kill();
  }
}

/** A whole run: one site is steady, and the others end and begin again. */
export async function perform(theatre: Theatre): ReturnType<typeof watchedRun> {
  const { files, witness, alive, doors } = theatre;
  const [steady, ...others] = files.sites;
  const [over, broken] = [new AbortController(), new AbortController()];
  const observer = { note: (): void => undefined, report: (): void => undefined };
  const site = launchClient(steady!.config, { observer, signal: over.signal }).catch(() => undefined);
  const residents = Promise.all(others.map((other) => inhabit(other, theatre, over.signal)));
  residents.catch(() => {
    broken.abort();
  });
  const ended = await watchedRun(files, {
    witness,
    signal: broken.signal,
    message: (from, message) => {
      alive.get(from)?.seen();
      // A round asks who is there when it begins: the steady site holds it up until all are.
      const isSteady = from === steady!.id && message.type === 'offer';
      return isSteady ? doors.untilIn(others.map(({ id }) => id)) : undefined;
    },
    welcomed: doors.entered,
    left: doors.left,
  });
  over.abort();
  for (const life of alive.values()) life.kill();
  await Promise.all([residents, site]);
  return ended;
}
