import type { VulnerableUsers } from '../../shared/protocol/audit-report.ts';
import { plain } from '../report/words.ts';
import { decimalFigure, type Figure, rateFigure } from './finding.ts';
import type { HighestTpr, Strongest } from './strongest.ts';

/** No interval on either side. */
export const noRange = { low: null, high: null };

/** The AUC of the strongest attack; nothing where none was made. `whose` stands before it, such as `canaries: `. */
export function strongestFigure(best: Strongest | undefined, source: string, whose = ''): Figure[] {
  if (!best) return [];
  const what = `${whose}AUC of ${plain(best.attack)}, strongest of ${best.looks}; interval for all of them together`;
  return [decimalFigure(what, best.auc, best, source)];
}

/** The largest TPR at 1 % FPR; nothing where none was measured. */
export function highestTprFigure(found: HighestTpr | undefined, source: string, whose = ''): Figure[] {
  if (!found) return [];
  const what = `${whose}largest TPR@1%, of ${plain(found.attack)}; interval of this attack alone`;
  return [rateFigure(what, found.tpr, found, source)];
}

/** Whom the largest scores belong to; nothing where nobody was tested. */
export function topPercentileFigure(vulnerable: VulnerableUsers | undefined, source: string): Figure[] {
  if (!vulnerable || vulnerable.topPercentile.users === 0) return [];
  const { users, members, low, high } = vulnerable.topPercentile;
  const what = `members among the ${users} users with the largest scores, by chance about half`;
  return [rateFigure(what, members / users, { low, high }, source)];
}
