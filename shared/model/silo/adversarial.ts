import type { Rng } from '../../random/rng.ts';
import { uniformBelow } from '../../random/sample.ts';
import { pickLabels, pickRows } from '../pick-rows.ts';
import {
  type AttackNetwork,
  attackGain,
  attackNetwork,
  type Questions,
  trainAttack,
} from './attack-network.ts';
import { applyStep, stepsOf } from './descend.ts';
import type { Slope } from './engine.ts';
import type { SiloRound } from './labelled.ts';
import type { SiloRecords } from './records.ts';
import type { SiloDefence } from './silo-defence.ts';
import { addThroughSoftmax, labelSlope, probabilities } from './slopes.ts';

type Adversarial = Extract<SiloDefence, { type: 'adversarial' }>;

/** Records of the drawn users, and those that stand for the public. */
export interface BothSides {
  readonly records: SiloRecords;
  readonly reference: SiloRecords;
}

/**
 * Adversarial regularization (Nasr, Shokri and Houmansadr, CCS 2018): in turns, an attack network learns to tell answers to the
 * drawn users' records from answers to reference records, and the model descends its loss on labels plus `weight` times what
 * that attack gains on its step. The network is new in every round.
 */
export async function adversarial(
  round: SiloRound,
  sides: BothSides,
  settings: Adversarial,
): Promise<Float32Array> {
  const { descent, received, epochs, numClasses, numFeatures, rng } = round;
  const { records } = sides;
  const { plan, engine, mask, pause } = descent;
  const parameters = received.slice();
  const derivative = new Float64Array(received.length);
  let network = attackNetwork(numClasses, settings.units, rng.fork('attack network'));
  const draws = rng.fork('attack steps');
  const numRecords = records.labels.length;
  for (const rows of stepsOf({ numRecords, epochs, batchSize: plan.batchSize }, rng.fork('steps'))) {
    for (let step = 0; step < settings.attackSteps; step++) {
      const questions = {
        members: asked(round, parameters, drawn(records, rows.length, draws)),
        others: asked(round, parameters, drawn(sides.reference, rows.length, draws)),
      };
      network = trainAttack(network, questions, settings.attackLearningRate);
    }
    const labels = pickLabels(records.labels, rows);
    const features = pickRows(records.features, rows, numFeatures);
    const slope = adversarialSlope(round, labels, { network, weight: settings.weight });
    engine.derivative({ parameters, features }, slope, derivative);
    applyStep(parameters, derivative, { ...plan, mask });
    await pause();
  }
  return parameters;
}

/** The loss on labels plus `weight` times the mean of log h(p, y), where h is what the attack takes a member's record for. */
export function adversarialSlope(
  { numClasses, objective }: Pick<SiloRound, 'numClasses' | 'objective'>,
  labels: Int32Array,
  { network, weight }: { readonly network: AttackNetwork; readonly weight: number },
): Slope {
  return (logits, out) => {
    const loss = labelSlope(labels, numClasses, objective)(logits, out);
    const own = probabilities(logits, numClasses);
    const { value, slopes } = attackGain(network, { answers: own, labels });
    addThroughSoftmax(own, slopes, { numClasses, weight }, out);
    return loss + weight * value;
  };
}

interface Asked {
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

/** Some of the records, with replacement. */
function drawn({ features, labels }: SiloRecords, count: number, rng: Rng): Asked {
  const rows = Int32Array.from({ length: count }, () => uniformBelow(rng, labels.length));
  return {
    features: pickRows(features, rows, features.length / labels.length),
    labels: pickLabels(labels, rows),
  };
}

function asked({ descent, numClasses }: SiloRound, parameters: Float32Array, records: Asked): Questions {
  const logits = descent.engine.logits({ parameters, features: records.features });
  return { answers: probabilities(logits, numClasses), labels: records.labels };
}
