import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { aFederation, type FederationOverrides } from '../support/a-federation.ts';
import { parley } from '../support/processes.ts';

/** What the table of docs/errors.md says of an exit code. */
function documented(exitCode: number | null | undefined): string {
  const rows = readFileSync('docs/errors.md', 'utf8').split('\n');
  return rows.find((row) => row.startsWith(`| ${exitCode} |`)) ?? '';
}

/** Lead a federation to its end: the exit codes of the coordinator and of its first site, and what that one said. */
async function ended(overrides: FederationOverrides) {
  const files = await aFederation(overrides);
  const coordinator = parley('coordinator', files.coordinator);
  const clients = files.sites.map(({ config }) => parley('client', config));
  const [led, site] = await Promise.all([coordinator, ...clients].map(({ exited }) => exited));
  return { led, site, told: coordinator.stderr(), heard: clients[0]?.stderr() };
}

const timeout = 240_000;

test(
  'a run that the leakage policy stops, and its clients, end as the table of exit codes says',
  async () => {
    const leakage = [{ figure: 'user-auc', limit: 0.01, action: 'stop' }];
    const { led, site, told } = await ended({ federation: { leakage } });
    expect(told).toContain('LEAKAGE_LIMIT');
    expect(documented(led)).toContain('a run that the leakage policy stopped (`LEAKAGE_LIMIT`)');
    expect(documented(site)).toContain('a client of a run that the leakage policy stopped');
  },
  timeout,
);

test(
  'a client whose coordinator gives the run up ends as the table of exit codes says',
  async () => {
    const { site, heard } = await ended({ client: { audit: { fraction: 0 } } });
    expect(heard).toContain('RUN_FAILED');
    expect(documented(site)).toContain('a client whose coordinator said that the run failed (`RUN_FAILED`)');
  },
  timeout,
);
