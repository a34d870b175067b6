import { existsSync, statSync } from 'node:fs';
import { AuditOptions, auditRound, type Evidence } from '../../coordinator/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';
import type { Audited } from './audited.ts';
import { modelEvidence } from './model-evidence.ts';

/** What is given beside a model from elsewhere: paths of files. */
export interface ModelOptions {
  readonly schema?: string;
  readonly members?: string;
  readonly heldOut?: string;
  readonly reference?: string;
  readonly spec?: string;
  readonly initial?: string;
}

/**
 * The attacks of a round on a model from elsewhere, and the evidence that they were made on.
 *
 * @throws CONFIG_INVALID without schema, members and held-out users; what reading and attacking it throws.
 */
export async function auditModel(
  model: string,
  options: ModelOptions,
  pause: () => Promise<void>,
): Promise<{ readonly audited: Audited; readonly evidence: Evidence }> {
  const { schema, members, heldOut, reference, spec, initial } = options;
  if (schema === undefined || members === undefined || heldOut === undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      `${model}: a model from elsewhere is audited on users whose membership is known: give --schema, --members and --held-out`,
    );
  const evidence = await modelEvidence(
    { model, ...(spec !== undefined && { spec }), ...(initial !== undefined && { initial }) },
    { schema, members, heldOut, ...(reference !== undefined && { reference }) },
  );
  const means = { rng: seededRng(Seed.parse(1)), pause };
  const { report: audit } = await auditRound(evidence, AuditOptions.parse({}), means);
  const audited = {
    title: model,
    privacy: null,
    caveats: [
      'Members and held-out users were not chosen by a coin here: where they differ in anything else, that counts as leakage too.',
      ...(initial === undefined ? ['No initial model: ratios are against one that knows nothing.'] : []),
    ],
    audit,
    ...{ numShadows: 0, likelihoodRatios: [], mislabelled: [], redTeam: [] },
  };
  return { audited, evidence };
}

/**
 * Whether a target is a run's directory; else it is a model file.
 *
 * @throws FILE_NOT_FOUND when nothing is there.
 */
export function isRunDirectory(target: string): boolean {
  if (existsSync(target)) return statSync(target).isDirectory();
  throw new ParleyError(
    'FILE_NOT_FOUND',
    `${target} does not exist: expected a run directory, a safetensors file, or model.json of a tfjs model`,
  );
}
