import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { loadConfig, loadText } from '../../shared/config.ts';
import { recordReader } from '../../shared/data/read-record.ts';
import { classNames, dataSchemaOf } from '../../shared/data/schema.ts';
import { numFeatures } from '../../shared/model/layout.ts';
import { outputSource } from '../../shared/model/output-source.ts';
import type { Rng } from '../../shared/random/rng.ts';
import type { Sha256 } from '../../shared/units.ts';
import { type Harden, hardenerOf } from './answers.ts';
import { callerFinder } from './caller-key.ts';
import { type Caller, createEndpoint } from './endpoint.ts';
import { hardeningOf } from './hardening-steps.ts';
import { type Served, serveHttp } from './http-server.ts';
import type { Reference } from './monitor/reference.ts';
import { createSketcher } from './monitor/sketch.ts';
import { monitorOf } from './monitor/watch.ts';
import { type ModelInUse, readReference } from './read-reference.ts';
import { type HardeningSteps, ServeConfig } from './serve-config.ts';
import { lockServing, openHistories, secretIn } from './serve-directory.ts';
import { readServedModel } from './served-model.ts';

/** What a server needs beside its configuration. */
export interface ServeRunning {
  /** Makes the server's secret, once. */
  readonly rng: Rng;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly note: (text: string) => void;
}

/** A server that answers. */
export interface ServedModelAt extends Served {
  readonly host: string;
  readonly modelSha256: Sha256;
}

const readText = (path: string): string => readFileSync(path, 'utf8');

/**
 * Serve a finished model: a safetensors file, or the newest model of a run's directory. Budgets and alarms go on from the query
 * log of earlier starts; while the server runs, no other may have its directory.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID, MODEL_INVALID, NON_FINITE, RUN_NOT_FOUND, QUERY_LOG_CORRUPT; DIRECTORY_UNWRITABLE, also
 * when a server uses the directory; INSECURE_URL, PORT_IN_USE; what reading a reference table throws.
 */
export async function launchServe(
  target: string,
  configFile: string,
  running: ServeRunning,
): Promise<ServedModelAt> {
  const at = (path: string): string => resolve(dirname(configFile), path);
  const config = loadConfig(configFile, ServeConfig, readText, 'docs/serving.md');
  const unlock = lockServing(at(config.directory));
  try {
    const prepared = await prepare(target, { config, configFile, at }, running);
    const served = await begin(prepared, running);
    const close = async (): Promise<void> => {
      await served.close();
      prepared.model.source.dispose();
      unlock();
    };
    return { port: served.port, host: config.listen.host, modelSha256: prepared.modelSha256, close };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** A configuration, and where the paths in it lead. */
interface Configured {
  readonly config: ServeConfig;
  readonly configFile: string;
  readonly at: (path: string) => string;
}

async function prepare(
  target: string,
  { config, configFile, at }: Configured,
  { rng, note }: ServeRunning,
): Promise<Prepared> {
  const schema = dataSchemaOf(loadText(at(config.schema), readText), at(config.schema));
  const specFile = config.spec === undefined ? undefined : at(config.spec);
  const { modelSha256, spec, parameters } = await readServedModel(target, { schema, specFile });
  const directory = at(config.directory);
  const secret = secretIn(directory, rng);
  const classes = classNames(schema);
  const model: ModelInUse = {
    ...{ spec, schema, classes },
    source: await outputSource(spec, parameters),
    sketcher: createSketcher(numFeatures(spec), secret),
  };
  const harden = (steps: HardeningSteps): Harden =>
    hardenerOf(hardeningOf(steps, { at, file: configFile, numClasses: classes.length }), secret);
  const reference = await referenceIn(config, { at, model, note });
  const callers = callersOf(config, reference, harden);
  return { config, at, directory, model, modelSha256, callers, hardenFurther: harden(config.hardened) };
}

/** A server that is ready to go on from its log. */
interface Prepared {
  readonly config: ServeConfig;
  readonly at: (path: string) => string;
  readonly directory: string;
  readonly model: ModelInUse;
  readonly modelSha256: Sha256;
  readonly callers: readonly (Caller & { readonly keySha256: Sha256 })[];
  readonly hardenFurther: Harden;
}

async function begin(prepared: Prepared, { now, note }: ServeRunning): Promise<Served> {
  const { config, at, directory, model, modelSha256, callers, hardenFurther } = prepared;
  const { log, histories } = openHistories(directory, config, note);
  try {
    log.append({ type: 'start', timeMs: now(), modelSha256 });
    const reader = recordReader(model.schema);
    const { recordsPerRequest: mostRecords, bytesPerRequest } = config.limits;
    const endpoint = createEndpoint({
      ...{ ...model, reader, hardenFurther, histories, mostRecords, now },
      numSubpopulations: model.schema.subpopulations.length,
      keep: log.append,
      pause: () => setImmediate(),
    });
    const find = callerFinder(callers);
    const { fields, takesEncoded } = reader;
    const served = await serveHttp({
      ...{ ...addressOf(config, at), bytesPerRequest, note },
      description: {
        modelSha256,
        classes: [...model.classes],
        fields: [...fields],
        takesEncoded,
        mostRecords,
      },
      predictorOf: (key) => {
        const caller = find(key);
        return caller && ((body) => endpoint.predict(caller, body));
      },
    });
    const close = async (): Promise<void> => {
      await served.close();
      log.close();
    };
    return { port: served.port, close };
  } catch (error) {
    log.close();
    throw error;
  }
}

async function referenceIn(
  { monitor }: ServeConfig,
  { at, model, note }: { at: (path: string) => string; model: ModelInUse; note: (text: string) => void },
): Promise<Reference | undefined> {
  if (monitor.reference !== undefined) return readReference(at(monitor.reference), model);
  note('no monitor.reference: only repeats are noticed, no copies, subpopulations or calibration sets');
  return undefined;
}

/** Every caller with its own settings where it has some; the false alarms are shared out evenly. */
function callersOf(
  config: ServeConfig,
  reference: Reference | undefined,
  harden: (steps: HardeningSteps) => Harden,
): (Caller & { readonly keySha256: Sha256 })[] {
  const { callers, monitor, budget } = config;
  const defaultHarden = harden(config.answer);
  const settings = { ordinary: monitor.ordinary, falseAlarms: monitor.falseAlarms / callers.length };
  return callers.map((caller) => ({
    ...{ id: caller.id, keySha256: caller.keySha256 },
    budget: caller.budget ?? budget,
    policy: caller.policy ?? monitor.policy,
    monitor: monitorOf(reference, settings, caller.expects),
    harden: caller.answer ? harden(caller.answer) : defaultHarden,
  }));
}

function addressOf({ listen }: ServeConfig, at: (path: string) => string) {
  const { host, port, tls } = listen;
  const read = (path: string): string => loadText(at(path), readText);
  return { host, port, tls: tls && { cert: read(tls.cert), key: read(tls.key) } };
}
