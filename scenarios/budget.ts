import { ParleyError } from '../shared/errors.ts';
import { type BudgetOptions, budgetAnswer } from './budget-answer.ts';
import { budgetWords } from './budget-words.ts';
import { siteBudget, siteBudgetWords } from './site-budget.ts';
import type { Terminal } from './terminal.ts';

/**
 * `parley budget`: what a plan costs, or the one quantity of it that is left out; with `site`, a configuration file, what
 * that site can still afford.
 *
 * @throws CONFIG_INVALID, CALIBRATION_IMPOSSIBLE; with `site` also what `parley ledger show` throws.
 */
export async function budgetCommand(
  { site, ...options }: BudgetOptions & { readonly site?: string },
  terminal: Terminal,
): Promise<void> {
  if (site !== undefined) {
    const answer = siteBudget(await summaryOf(site), planOnly(options));
    terminal.say(siteBudgetWords(answer).join('\n'));
    terminal.emit(withoutInfinity({ site: answer }));
    return;
  }
  const answer = budgetAnswer(options);
  terminal.say(budgetWords(answer).join('\n'));
  terminal.emit(withoutInfinity(answer));
}

async function summaryOf(configFile: string): Promise<unknown> {
  const { ledgerCommand } = await import('../client/index.ts');
  const { json } = await ledgerCommand(configFile, 'show');
  return json;
}

/** A site's policy says epsilon and delta, and its ledger knows no other sites. */
function planOnly(
  options: BudgetOptions,
): Pick<BudgetOptions, 'noiseMultiplier' | 'samplingRate' | 'rounds'> {
  const { noiseMultiplier, samplingRate, rounds, ...others } = options;
  if (Object.keys(others).length > 0)
    throw new ParleyError(
      'CONFIG_INVALID',
      "with --site, epsilon and delta are the policy's: leave out --epsilon, --delta, --sites, --answering-sites and --colluding",
    );
  return {
    ...(noiseMultiplier !== undefined && { noiseMultiplier }),
    ...(samplingRate !== undefined && { samplingRate }),
    ...(rounds !== undefined && { rounds }),
  };
}

/** JSON has no infinity, and null would look like nothing. */
function withoutInfinity(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part: unknown) => (part === Infinity ? 'infinite' : part)));
}
