import { describe, expect, test } from 'vitest';
import { openLedger } from '../../client/ledger.ts';
import { sampledGaussian } from '../../shared/privacy/accounting/event.ts';
import { NoiseMultiplier, RoundIndex, RunId, SamplingRate, Sha256 } from '../../shared/units.ts';
import { aFederation } from '../support/a-federation.ts';
import { parleyDone } from '../support/processes.ts';

const costs = ['--noise-multiplier', '1', '--sampling-rate', '0.01', '--rounds', '1000', '--delta', '1e-5'];

async function answered(
  ...args: readonly string[]
): Promise<{ code: number | null; answer: unknown; lines: number }> {
  const { code, stdout } = await parleyDone('budget', ...args, '--json');
  return { code, answer: JSON.parse(stdout), lines: stdout.split('\n').length };
}

const number = expect.any(Number) as number;
const cost = { pld: number, pldLower: number, rdp: number };
const attacker = {
  tprAt1PercentFpr: number,
  tprAt01PercentFpr: number,
  advantage: number,
  accuracy: number,
  fromEpsilonAlone: { tprAt1PercentFpr: number, tprAt01PercentFpr: number },
};

describe('parley budget', () => {
  test('--json: one object, the cost at its top level', async () => {
    const { code, answer, lines } = await answered(...costs);
    expect([code, lines]).toEqual([0, 1]);
    expect(answer).toEqual({
      neighbouring: 'one user of one site, with all records, added or removed',
      solved: 'epsilon',
      noiseMultiplier: 1,
      samplingRate: 0.01,
      rounds: 1000,
      delta: 1e-5,
      epsilon: cost,
      attacker,
    });
    const { pld, pldLower, rdp } = (answer as { epsilon: Record<'pld' | 'pldLower' | 'rdp', number> })
      .epsilon;
    // algorithms.md B7.
    expect(pld).toBeGreaterThan(1.82);
    expect(pld).toBeLessThan(1.828 * 1.01);
    expect(pldLower).toBeLessThanOrEqual(pld);
    expect(pldLower).toBeGreaterThan(1.79);
    expect(rdp).toBeCloseTo(2.101, 2);
  });

  test('what is left out stands under its own name, epsilon beside it; with --sites both views', async () => {
    const { answer } = await answered(
      ...['--sampling-rate', '0.01', '--rounds', '1000', '--epsilon', '2', '--delta', '1e-5'],
      ...['--sites', '4', '--answering-sites', '3', '--colluding', '0'],
    );
    expect(answer).toMatchObject({
      solved: 'noiseMultiplier',
      noiseMultiplier: number,
      targetEpsilon: 2,
      epsilon: cost,
      sites: 4,
      answeringSites: 3,
      colluding: 0,
      views: { coordinator: { ...cost, attacker }, recipients: { ...cost, attacker } },
    });
  });

  test('infinity is written in words, never as null', async () => {
    const { answer } = await answered(
      ...['--noise-multiplier', '1e9', '--sampling-rate', '1', '--epsilon', '1', '--delta', '1e-5'],
    );
    expect(answer).toMatchObject({ solved: 'rounds', rounds: 'infinite' });
    expect(JSON.stringify(answer)).not.toContain('null');
  });

  test('words for people', async () => {
    const { code, stdout, stderr } = await parleyDone('budget', ...costs);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^This plan costs epsilon 1\.8\d\d at delta 0\.00001/);
    expect(stdout).toMatch(/catches at most [\d.]+ of 100 members/);
  });

  test.each([
    ['two quantities missing', costs.slice(0, -2), /leave out exactly one of .*--epsilon, --delta/],
    ['none missing', [...costs, '--epsilon', '1'], /all are given/],
    ['out of range', [...costs.slice(0, -1), '7'], /--delta/],
  ])('refuses: %s', async (_, args, message) => {
    const { code, answer } = await answered(...args);
    expect(code).toBe(2);
    expect(answer).toEqual({
      error: { code: 'CONFIG_INVALID', message: expect.stringMatching(message) as string },
    });
  });

  test('an epsilon that nothing reaches: what to change', async () => {
    const asked = ['--sampling-rate', '1', '--rounds', '5', '--epsilon', '0', '--delta', '1e-12'];
    const { code, answer } = await answered(...asked);
    expect(code).toBe(4);
    expect(answer).toEqual({
      error: {
        code: 'CALIBRATION_IMPOSSIBLE',
        message: expect.stringMatching(/allow a larger epsilon/) as string,
      },
    });
  });

  test.each([
    ['an unknown option', [...costs, '--sigma', '1'], /unknown option '--sigma'/],
    ['text for a number', ['--noise-multiplier', 'much'], /a number such as 0\.01 or 1e-5 is expected/],
    ['half a round', ['--rounds', '1.5'], /a whole number of at least 1 is expected/],
  ])('usage: %s, with a code and how it is called', async (_, args, message) => {
    const { code, stderr } = await parleyDone('budget', ...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^parley: CONFIG_INVALID/m);
    expect(stderr).toContain('Usage: parley budget');
  });

  test("--site: what a site's policy and ledger leave, without a change to the ledger", async () => {
    const files = await aFederation({ policy: { maxEpsilon: 3 } });
    const { config, ledger: path } = files.sites[0]!;
    const ledger = await openLedger(path);
    await ledger.commit({
      run: RunId.parse('earlier'),
      round: RoundIndex.parse(0),
      planSha256: Sha256.parse('0'.repeat(64)),
      event: sampledGaussian(NoiseMultiplier.parse(2), SamplingRate.parse(0.5)),
      bytes: new Uint8Array([1, 2, 3]),
    });
    const before = ledger.position();
    await ledger.close();
    const asked = ['--site', config, '--sampling-rate', '0.5', '--noise-multiplier', '2'];
    const { code, answer } = await answered(...asked, '--rounds', '100');
    expect(code).toBe(0);
    expect(answer).toMatchObject({
      site: {
        delta: 1e-5,
        limits: [
          { rule: 'maxEpsilon', limit: 3, spent: number, left: number, roundsLeft: number, after: number },
        ],
        roundsLeft: number,
        noiseNeeded: number,
      },
    });
    const { roundsLeft, noiseNeeded } = (answer as { site: Record<'roundsLeft' | 'noiseNeeded', number> })
      .site;
    expect(roundsLeft).toBeGreaterThan(0);
    expect(roundsLeft).toBeLessThan(100);
    expect(noiseNeeded).toBeGreaterThan(2);
    const { stdout } = await parleyDone('budget', ...asked);
    expect(stdout).toContain(`Rounds like these that still fit: ${roundsLeft}.`);
    const refused = await answered(...asked, '--epsilon', '1');
    expect(refused).toMatchObject({ code: 2, answer: { error: { code: 'CONFIG_INVALID' } } });
    const reopened = await openLedger(path);
    expect(reopened.position()).toEqual(before);
    await reopened.close();
  });
});
