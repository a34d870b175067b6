import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isMeasured, type Scores } from '../../../coordinator/audit/attack.ts';
import { attackNames, attacks } from '../../../coordinator/audit/attacks.ts';
import { assertCanBeAudited } from '../../../coordinator/auditable.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed, Sha256, SiteId } from '../../../shared/units.ts';
import { aFederationConfig, aTinyRun, runTiny, type SiteChange, siteFiles } from '../../support/a-run.ts';
import { evidenceOf } from '../../support/audit-evidence.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const hidden = {
  inputShape: [2],
  layers: [{ type: 'dense', units: 3, activation: 'tanh' }],
  output: { type: 'sigmoid' },
};
const drawn = (fraction: number, referenceFraction: number, more = {}): SiteChange => ({
  client: { audit: { fraction, referenceFraction, ...more } },
});
const declaring = (attack: string, more = {}): Record<string, unknown> => ({ audit: { attack }, ...more });
const containing = (text: string): unknown => expect.stringContaining(text);

describe('what is refused beforehand is what an audit cannot measure', () => {
  const rng = seededRng(Seed.parse(11));
  const site = { declaredUsers: 100, canaries: new Int32Array(0), privacy: 'private' } as const;
  const reference = { spec: ModelSpec.parse(hidden), sha256: Sha256.parse('0'.repeat(64)), sizeBytes: 1 };

  test.each(attackNames)('%s, for few users and for many', (attack) => {
    const config = aFederationConfig(declaring(attack, { model: hidden }));
    for (const users of [12, 40, 60, 120, 200]) {
      const evidence = evidenceOf(rng.fork(`${users} users`), { users, records: 4 });
      const sites = new Map([[SiteId.parse('east'), { ...site, population: evidence.population }]]);
      const refuse = (): void => {
        assertCanBeAudited({ config, sites, referenceModels: [reference] });
      };
      const scores: Scores = attacks[attack](evidence);
      if (isMeasured(scores)) expect(refuse).not.toThrow();
      else expect(refuse).toThrow(scores.notMeasured);
    }
  });
});

describe('a run that no round could audit is refused after enrolment, and costs no site anything', () => {
  test.each([
    ['nobody to audit', {}, drawn(0, 0), '0 member and 0 held-out users'],
    ['no hidden layer', declaring('embedding-pair'), drawn(0.6, 0.1), 'the model has no hidden layer'],
    ['no reference models', declaring('max-reference-ratio'), drawn(0.6, 0.1), 'no reference models'],
    ['no reference users', declaring('rmia'), drawn(0.6, 0), 'there are fewer than two'],
    ['few reference users', declaring('quantile'), drawn(0.6, 0.1), 'the regression needs 20'],
    ['no fresh records', declaring('fresh-mean-log-ratio'), drawn(0.6, 0.1), 'audit.freshFraction'],
    ['no places', declaring('neighbour-difference'), drawn(1, 0.5, { places: false }), 'audit.places'],
    ['no other', declaring('embedding-separation', { model: hidden }), drawn(0.6, 0), 'to compare'],
    [
      'one usable record',
      declaring('embedding-pair', { model: hidden }),
      drawn(0.8, 0.3, { freshFraction: 0.5 }),
      'to compare',
    ],
  ])('%s', async (_, change, site, reason) => {
    const run = aTinyRun(change, site);
    expect(await refusalOf(runTiny(run))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: containing(reason),
    });
    expect(run.sites.map(({ ledger }) => ledgerRows(ledger).length)).toEqual([0, 0]);
    expect(existsSync(join(run.directory, 'manifest.json'))).toBe(false);
  });

  test('what is declared may be corrected in the same directory', async () => {
    const run = aTinyRun(declaring('embedding-pair'));
    expect(await refusalOf(runTiny(run))).toMatchObject({ message: containing('audit.attack') });
    const federation = aFederationConfig(declaring('margin'));
    expect(await runTiny({ ...run, federation })).toMatchObject({ outcome: 'finished' });
    const log = readFileSync(join(run.directory, 'rounds.jsonl'), 'utf8');
    expect(log.trim().split('\n')).toHaveLength(3);
  });
});

test.each([
  ['rmia', {}, drawn(0.8, 0.3)],
  ['embedding-separation', { model: hidden }, drawn(0.8, 0.3)],
  ['margin-by-class', {}, drawn(1, 0.8)],
])('%s goes through where rosters and model allow it', async (attack, more, site) => {
  const folder = temporaryFolder();
  const sites = ['east', 'north'].map((name) => siteFiles(folder, name, { ...site, users: 60 }));
  const federation = aFederationConfig({ ...declaring(attack, more), rounds: 1 });
  const { reports } = await runTiny({ directory: join(folder, 'run'), sites, federation });
  expect(reports[0]?.audit.user.attack).toBe(attack);
});

test('a site without audit users takes part beside one that has some', async () => {
  const folder = temporaryFolder();
  const sites = [siteFiles(folder, 'east', drawn(0, 0)), siteFiles(folder, 'north')];
  const { outcome, reports } = await runTiny({ directory: join(folder, 'run'), sites });
  expect([outcome, reports.length]).toEqual(['finished', 3]);
  expect(reports[0]?.sites.answered).toEqual(['east', 'north']);
});
