import type { LinkageKey, Pseudonym } from '../crypto/pseudonym.ts';
import { ParleyError } from '../errors.ts';
import {
  type LinkedSite,
  listHash,
  type PseudonymList,
  pseudonymList,
  pseudonymsOf,
  sharesText,
  type WeightTable,
} from './linkage.ts';

/** A site's users as linkage sees them, each list of shape (numUsers,), in the order of the user ids. */
export interface Linkage {
  readonly key: LinkageKey;
  readonly pseudonyms: readonly Pseudonym[];
  /** Each in (0, 1]: this site's share of the person's influence. */
  readonly weights: Float64Array;
  /** Whether this is the one site that audits the person. */
  readonly auditedHere: readonly boolean[];
}

/**
 * Look a site's users up in its table.
 *
 * @throws LINKAGE_INVALID when the table was made for another site, with another key or other audit shares, or for other
 * data: a user is missing from it, or it has users who are not in the data.
 */
export function linkageOf(table: WeightTable, of: LinkedSite): Linkage {
  const pseudonyms = pseudonymsOf(of);
  const list = pseudonymList(of, pseudonyms);
  assertMadeFor(table, list);
  const entries = new Map(table.users.map(([pseudonym, weight, here]) => [pseudonym, { weight, here }]));
  const found = pseudonyms.flatMap((pseudonym) => entries.get(pseudonym) ?? []);
  if (found.length < pseudonyms.length)
    throw invalid(
      `the table of weights lacks ${pseudonyms.length - found.length} of this site's users; ${again}`,
    );
  if (table.users.length !== found.length || table.list !== listHash(list))
    throw invalid(`the table of weights was made for other data than this site has now; ${again}`);
  return {
    key: of.key,
    pseudonyms,
    weights: Float64Array.from(found, ({ weight }) => weight),
    auditedHere: found.map(({ here }) => here),
  };
}

const again =
  'run `parley linkage pseudonyms` at this site and `parley linkage weights` over the lists of all linked sites';

function assertMadeFor(table: WeightTable, list: PseudonymList): void {
  if (table.site !== list.site)
    throw invalid(`the table of weights is of site ${table.site}, this is ${list.site}; use this site's own`);
  if (table.keyCheck !== list.keyCheck)
    throw invalid(
      `the table of weights was made with another key than this site's; check which key the linked sites share, then ${again}`,
    );
  if (sharesText(table) !== sharesText(list))
    throw invalid(
      `this site's audit shares are ${sharesText(list)}, the linked sites agreed on ${sharesText(table)}; restore them, or ${again}`,
    );
}

function invalid(detail: string): ParleyError {
  return new ParleyError('LINKAGE_INVALID', detail);
}
