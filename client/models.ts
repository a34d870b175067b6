import { ParleyError } from '../shared/errors.ts';
import type { Defence } from '../shared/model/defence.ts';
import { numParams } from '../shared/model/layout.ts';
import type { LocalTrainer } from '../shared/model/local-trainer.ts';
import type { ParameterMask } from '../shared/model/mask.ts';
import type { SiloTrainer } from '../shared/model/silo/silo-trainer.ts';
import { siloTrainer } from '../shared/model/silo/train-site.ts';
import type { ModelSpec } from '../shared/model/spec.ts';
import { localTrainer, type TrainerChoice } from '../shared/model/trainer.ts';
import { decodedMask, maskBytes } from '../shared/protocol/mask-payload.ts';
import { decodedModel } from '../shared/protocol/payloads.ts';
import type { Plan } from '../shared/protocol/plan.ts';
import type { Sha256 } from '../shared/units.ts';

/** The site's copies of what it was sent: the newest parameters and mask, and the trainer that was built for their specification and defence. */
export interface Models {
  /** Parameters of a model, shape (numParams,), fetched once and checked against their hash. */
  parameters(model: Plan['model']): Promise<Float32Array>;
  /** The plan's mask, fetched once and checked against its hash; undefined where the plan has none. */
  mask(plan: Pick<Plan, 'model' | 'mask'>): Promise<ParameterMask | undefined>;
  trainer(spec: ModelSpec, defence: Defence): Promise<LocalTrainer>;
  /** The one that trains all users of the site together. */
  siloTrainer(spec: ModelSpec): Promise<SiloTrainer>;
}

type Fetch = (blob: { sha256: Sha256; sizeBytes: number }) => Promise<Uint8Array>;

/** `announce` hears which trainer runs and why, whenever one is built. */
export function modelCache(
  fetch: Fetch,
  choice: TrainerChoice,
  announce: (description: string) => void,
): Models {
  let newest: { sha256: Sha256; parameters: Float32Array } | undefined;
  let newestMask: { sha256: Sha256; mask: ParameterMask } | undefined;
  let built: { key: string; trainer: LocalTrainer } | undefined;
  let builtSilo: { key: string; trainer: SiloTrainer } | undefined;
  return {
    parameters: async ({ spec, sha256, sizeBytes }) => {
      if (newest?.sha256 === sha256) return newest.parameters;
      assertPlausible(sizeBytes, numParams(spec));
      const bytes = await fetch({ sha256, sizeBytes });
      newest = { sha256, parameters: decodedModel(bytes, numParams(spec)) };
      return newest.parameters;
    },
    mask: async ({ model: { spec }, mask: planned }) => {
      if (!planned) return undefined;
      const { sha256, sizeBytes, kept } = planned;
      if (newestMask?.sha256 !== sha256) {
        assertMaskSize(sizeBytes, numParams(spec));
        const bytes = await fetch({ sha256, sizeBytes });
        newestMask = { sha256, mask: decodedMask(bytes, numParams(spec), kept) };
      }
      return newestMask.mask;
    },
    trainer: async (spec, defence) => {
      const key = JSON.stringify([spec, defence]);
      if (built?.key === key) return built.trainer;
      const trainer = await localTrainer(spec, choice, defence);
      announce(trainer.description);
      built = { key, trainer };
      return trainer;
    },
    siloTrainer: async (spec) => {
      const key = JSON.stringify(spec);
      if (builtSilo?.key === key) return builtSilo.trainer;
      const trainer = await siloTrainer(spec, choice);
      announce(trainer.description);
      builtSilo = { key, trainer };
      return trainer;
    },
  };
}

/** Room for the header of a model file: names, shapes, specification. */
const headerBytes = 1024 * 1024;

/** Before anything is allocated: a plan cannot make a site fetch more than its own model specification takes. */
function assertPlausible(sizeBytes: number, params: number): void {
  if (sizeBytes > 4 * params + headerBytes)
    throw new ParleyError(
      'MODEL_INVALID',
      `the plan announces a model file of ${sizeBytes} bytes, its specification has ${params} parameters of four bytes`,
    );
}

function assertMaskSize(sizeBytes: number, params: number): void {
  if (sizeBytes !== maskBytes(params))
    throw new ParleyError(
      'MODEL_INVALID',
      `the plan announces a mask of ${sizeBytes} bytes, one for ${params} parameters has ${maskBytes(params)}`,
    );
}
