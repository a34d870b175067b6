import { siloStamp } from '../../shared/model/silo/silo-defence.ts';
import { type RepeatedBound, repeatedBounds, repeatedLines } from './repeated-canaries.ts';
import { controlsPassed, isSiloLevel, isSimulation, type SeedRun } from './run.ts';
import { type SeedsRow, seedsRows } from './seeds.ts';
import { textTable } from './text-table.ts';
import { counted, figure, plain, simulationStamp } from './words.ts';

/**
 * The end of a scenario repeated over seeds: mean and standard deviation of the last rounds beside what was published, and
 * what the canaries of all runs prove together.
 */
export function seedsSummary(runs: readonly SeedRun[]): {
  text: string;
  rows: SeedsRow[];
  repeated: RepeatedBound[];
} {
  const rows = seedsRows(runs);
  const repeated = repeatedBounds(runs);
  const finished = runs.filter(({ reports }) => reports.length > 0);
  const passed = finished.filter(({ reports }) =>
    reports.slice(-1).some(({ audit }) => controlsPassed(audit)),
  );
  const lines = [
    `${counted(runs.length, 'seed')}: ${runs.map(({ seed }) => seed).join(', ')}`,
    ...(runs.some(isSimulation) ? [simulationStamp] : []),
    ...(runs.some(isSiloLevel) ? [siloStamp] : []),
    `rounds finished: ${runs.map(({ reports }) => reports.length).join(', ')}`,
    `controls passed at the last round: ${passed.length} of ${finished.length}`,
    '',
    ...textTable(
      ['last round', 'mean', 'standard deviation', 'runs', 'published'],
      rows.map((row) => [
        row.figure,
        row.meanText,
        row.standardDeviationText,
        String(row.values.length),
        row.published.map(({ value, source }) => `${figure(value)} (${plain(source)})`).join('; '),
      ]),
      ['published'],
    ),
    ...repeatedLines(repeated),
  ];
  return { text: `${lines.join('\n')}\n`, rows, repeated };
}
