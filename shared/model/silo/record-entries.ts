import { type LedgerEntry, sampledGaussian } from '../../privacy/accounting/event.ts';
import { NoiseMultiplier, SamplingRate } from '../../units.ts';
import type { SiloDefence } from './silo-defence.ts';

type RecordDp = Extract<SiloDefence, { type: 'record-dp-sgd' }>;

/**
 * What so many rounds cost one record of one site, as accountants read it; in these entries neighbouring means one *record* added or
 * removed. The coins of users, which a round's steps share, are not counted on.
 */
export function recordEntries(
  { noiseMultiplier, samplingRate, steps }: Pick<RecordDp, 'noiseMultiplier' | 'samplingRate' | 'steps'>,
  rounds: number,
): readonly LedgerEntry[] {
  const event = sampledGaussian(NoiseMultiplier.parse(noiseMultiplier), SamplingRate.parse(samplingRate));
  return rounds === 0 ? [] : [{ event, count: rounds * steps }];
}
