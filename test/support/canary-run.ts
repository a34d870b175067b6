import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CanaryScores } from '../../coordinator/audit/canaries/scores.ts';
import { aFederationConfig, siteFiles, type TinyRun } from './a-run.ts';
import { temporaryFolder } from './temporary.ts';

export interface CanaryRun {
  /** Random-direction canaries of each site. */
  readonly directions: number;
  readonly federation?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
}

/** Enough parameters that random directions hardly touch: 1201. */
const model = {
  inputShape: [2],
  layers: [{ type: 'dense', units: 300, activation: 'tanh' }],
  output: { type: 'sigmoid' },
};

/** Two sites of few people and many canaries, in this process. */
export function aCanaryRun({ directions, federation = {}, client = {} }: CanaryRun): TinyRun {
  const folder = temporaryFolder();
  const audit = { fraction: 0.6, referenceFraction: 0.1, canaries: { directions } };
  return {
    directory: join(folder, 'run'),
    sites: ['east', 'north'].map((name) => siteFiles(folder, name, { client: { audit, ...client } })),
    federation: aFederationConfig({ model, ...federation }),
  };
}

/** What the run directory holds of the canaries. */
export function canaryLines({ directory }: TinyRun): CanaryScores[] {
  const lines = readFileSync(join(directory, 'canaries.jsonl'), 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => CanaryScores.parse(JSON.parse(line)));
}
