import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { loadConfig } from '../../shared/config.ts';
import { ParleyError } from '../../shared/errors.ts';
import { Hardening } from '../../shared/model/hardening/hardening.ts';
import { SurrogateAttack } from '../../shared/model/hardening/surrogate.ts';
import type { HardeningSteps } from './serve-config.ts';

/**
 * Steps of a configuration with MemGuard's surrogate read from its file. `at` finds files that `file` names.
 *
 * @throws FILE_NOT_FOUND; CONFIG_INVALID for steps that are none, do not combine, or a surrogate for another number of classes.
 */
export function hardeningOf(
  steps: HardeningSteps,
  { file, at, numClasses }: { file: string; at: (path: string) => string; numClasses: number },
): Hardening {
  const read = steps.map(({ surrogateFile, ...step }) =>
    surrogateFile === undefined ? step : { ...step, surrogate: surrogateIn(at(surrogateFile)) },
  );
  const parsed = Hardening.safeParse(read);
  if (!parsed.success)
    throw new ParleyError('CONFIG_INVALID', `${file}, steps of hardening: ${z.prettifyError(parsed.error)}`);
  for (const step of parsed.data)
    if (step.type === 'memguard' && step.surrogate.weights.some((row) => row.length !== numClasses))
      throw new ParleyError(
        'CONFIG_INVALID',
        `${file}: the surrogate of memguard is not one for ${numClasses} classes: make it from answers of this model`,
      );
  return parsed.data;
}

function surrogateIn(path: string): SurrogateAttack {
  return loadConfig(path, SurrogateAttack, (name) => readFileSync(name, 'utf8'), 'docs/serving.md');
}
