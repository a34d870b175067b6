import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ParleyError } from '../../shared/errors.ts';
import { isRunDirectory, type ModelOptions } from '../audit/audit-model.ts';
import type { Terminal } from '../terminal.ts';
import { type Assessment, assess } from './assess.ts';
import { assessHtml } from './assess-page.ts';
import { assessText } from './assess-text.ts';
import { gatherModel, gatherRun } from './gather.ts';

/** What `parley assess` was asked for. */
export interface AssessOptions extends ModelOptions {
  /** Runs of other model classes, or without defences, to compare a run with. */
  readonly against?: readonly string[];
  readonly out?: string;
}

/**
 * `parley assess`: the checklist on the newest model of a run, or on a model file. Prints it and writes assess.json and assess.html.
 *
 * @throws FILE_NOT_FOUND for a target that is not there; CONFIG_INVALID for options that do not go with it; DIRECTORY_UNWRITABLE; what
 * reading run or model throws.
 */
export async function assessCommand(
  target: string,
  options: AssessOptions,
  terminal: Terminal,
): Promise<void> {
  const isRun = isRunDirectory(target);
  refuseMisplaced(isRun, options);
  const subject = isRun ? await gatherRun(target, options.against ?? []) : await gatherModel(target, options);
  const assessment = assess(subject);
  const report = written(options.out ?? (isRun ? target : 'runs/assess'), assessment);
  terminal.say(`${assessText(assessment)}\nreport: ${report}`);
  terminal.emit({ assessment, report });
}

const modelOptions = {
  ...{ schema: '--schema', members: '--members', heldOut: '--held-out', reference: '--reference' },
  ...{ spec: '--spec', initial: '--initial' },
} satisfies { readonly [Key in keyof ModelOptions]: string };

/** What would be left undone without a word is refused. */
function refuseMisplaced(isRun: boolean, options: AssessOptions): void {
  const given = Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const misplaced = Object.entries(isRun ? modelOptions : { against: '--against' })
    .filter(([key]) => given.includes(key))
    .map(([, name]) => name);
  if (misplaced.length > 0)
    throw new ParleyError(
      'CONFIG_INVALID',
      isRun
        ? `${misplaced.join(', ')}: only a model file is assessed with it, and the target is a directory; leave it out, or name the model file`
        : `${misplaced.join(', ')}: only a run can be assessed with it, and the target is a file; leave it out, or name the run directory`,
    );
}

function written(out: string, assessment: Assessment): string {
  const report = join(out, 'assess.html');
  try {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'assess.json'), `${JSON.stringify(assessment, null, 2)}\n`);
    writeFileSync(report, assessHtml(assessment));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${out} cannot be written to (${reason}): assess.json and assess.html go there; name another one with --out`,
      { cause },
    );
  }
  return report;
}
