import { z } from 'zod';
import { lengthPrefixed, sha256 } from '../crypto/encoding.ts';
import { KeyCheck, keyCheckOf, LinkageKey, Pseudonym, pseudonymOf } from '../crypto/pseudonym.ts';
import { ParleyError } from '../errors.ts';
import { Sha256, SiteId } from '../units.ts';

/**
 * Weights for users who appear at several sites (ULDP-FL, Kato et al. 2023, arXiv:2308.12210): one person's weights add up
 * to at most 1 over all linked sites, so that the sum over the sites has sensitivity C for one person. Neighbouring: one
 * person added or removed, with all records at all sites.
 */

const version = z.literal(1);

/** The file that `parley linkage key` makes: for the linked sites only. */
export const LinkageKeyFile = z.strictObject({ type: z.literal('linkage-key'), version, key: LinkageKey });
export type LinkageKeyFile = z.infer<typeof LinkageKeyFile>;

/** How a run's audit users are chosen; one person must have one role everywhere, so linked sites share it. */
const AuditShares = z.strictObject({ fraction: z.number(), referenceFraction: z.number() });

const about = {
  version,
  site: SiteId,
  /** Of the key that the pseudonyms were made with. */
  keyCheck: KeyCheck,
  audit: AuditShares,
};

/** A site's users under their pseudonyms, ascending: what `parley linkage pseudonyms` writes. No coordinator may see it. */
export const PseudonymList = z
  .strictObject({ type: z.literal('linkage-pseudonyms'), ...about, pseudonyms: z.array(Pseudonym).min(1) })
  .refine(({ pseudonyms }) => isAscending(pseudonyms), 'pseudonyms must ascend, each once');
export type PseudonymList = z.infer<typeof PseudonymList>;

/** What a site is told about its own users, and about nobody else: what `parley linkage weights` writes for it. */
export const WeightTable = z
  .strictObject({
    type: z.literal('linkage-weights'),
    ...about,
    /** Hash over the lists of all linked sites: equal at every site of one linkage. */
    linkage: Sha256,
    /** Hash of the list that this site handed in. */
    list: Sha256,
    /** Pseudonym (ascending, each once), weight in (0, 1], and whether this is the one site that audits the person. */
    users: z.array(z.tuple([Pseudonym, z.number().gt(0).lte(1), z.boolean()])),
  })
  .refine(({ users }) => isAscending(users.map(([name]) => name)), 'pseudonyms must ascend, each once');
export type WeightTable = z.infer<typeof WeightTable>;

/** What the list of one site is made of. */
export interface LinkedSite {
  readonly site: SiteId;
  readonly key: LinkageKey;
  readonly audit: z.infer<typeof AuditShares>;
  /** Distinct. */
  readonly userIds: readonly string[];
}

/** Pseudonyms of a site's users, shape (numUsers,), in the order of the user ids. */
export function pseudonymsOf({ key, userIds }: LinkedSite): readonly Pseudonym[] {
  return userIds.map((id) => pseudonymOf(key, id));
}

/** A site's pseudonym list. It does not depend on the order of the users. */
export function pseudonymList(of: LinkedSite, pseudonyms = pseudonymsOf(of)): PseudonymList {
  const { fraction, referenceFraction } = of.audit;
  return {
    type: 'linkage-pseudonyms',
    version: 1,
    site: of.site,
    keyCheck: keyCheckOf(of.key),
    audit: { fraction, referenceFraction },
    pseudonyms: [...pseudonyms].sort(),
  };
}

/** SHA-256 of a list: which key, whose, and exactly which users. */
export function listHash({ site, keyCheck, audit, pseudonyms }: PseudonymList): Sha256 {
  const shares = [audit.fraction, audit.referenceFraction].map(String);
  return sha256(lengthPrefixed(['parley/1 pseudonym list', site, keyCheck, ...shares, pseudonyms.join('')]));
}

/**
 * One table for each site, in the order of the lists: a person at n sites has weight 1 / n at each of them. A person's
 * weights, and which site audits her, depend on nobody else and not on the order of the lists.
 *
 * @throws LINKAGE_INVALID when two lists are of one site, or of different keys or audit shares.
 */
export function weightTables(lists: readonly PseudonymList[]): readonly WeightTable[] {
  assertTogether(lists);
  const sitesOf = new Map<Pseudonym, SiteId[]>();
  for (const { site, pseudonyms } of lists)
    for (const pseudonym of pseudonyms) {
      const sites = sitesOf.get(pseudonym);
      if (sites === undefined) sitesOf.set(pseudonym, [site]);
      else sites.push(site);
    }
  const persons = new Map(
    [...sitesOf].map(([pseudonym, sites]) => [
      pseudonym,
      { weight: uniformWeight(sites.length), auditedAt: auditSite(pseudonym, sites) },
    ]),
  );
  const linkage = sha256(lengthPrefixed(['parley/1 linkage', ...lists.map(listHash).sort()]));
  return lists.map((list) => ({
    type: 'linkage-weights',
    version: 1,
    site: list.site,
    keyCheck: list.keyCheck,
    audit: list.audit,
    linkage,
    list: listHash(list),
    users: list.pseudonyms.map((pseudonym) => {
      const { weight = 0, auditedAt } = persons.get(pseudonym) ?? {};
      return [pseudonym, weight, auditedAt === list.site];
    }),
  }));
}

const weightGrid = 2 ** 29;

/**
 * 1 / n rounded down to a multiple of 2^-29, for n in 1 .. 2^29. Sums of such weights are exact in float64 in any order, so
 * n of them never exceed 1; and a float32 coordinate times such a weight is exact too, so weighting never adds to a norm.
 */
export function uniformWeight(numSites: number): number {
  return Math.floor(weightGrid / numSites) / weightGrid;
}

/** The same for a person whoever else is there, and over persons evenly spread: pseudonyms are as good as random numbers. */
function auditSite(pseudonym: Pseudonym, sites: readonly SiteId[]): SiteId | undefined {
  return sites.toSorted()[Number.parseInt(pseudonym.slice(0, 12), 16) % sites.length];
}

function assertTogether(lists: readonly PseudonymList[]): void {
  const [first] = lists;
  const seen = new Set<SiteId>();
  for (const list of lists) {
    if (seen.has(list.site))
      throw invalid(`two lists are of site ${list.site}; give one list of each site, the newest`);
    seen.add(list.site);
    if (list.keyCheck !== first?.keyCheck)
      throw invalid(
        `the lists of ${list.site} and ${first?.site ?? ''} were made with different keys, so nobody would be recognised; ` +
          'make both with the key that the sites share',
      );
    if (sharesText(list) !== sharesText(first))
      throw invalid(
        `${list.site} has audit shares ${sharesText(list)}, ${first.site} has ${sharesText(first)}; linked sites need the same, so that ` +
          'a person has one role everywhere',
      );
  }
}

/** Audit shares as the messages write them. */
export function sharesText({ audit }: Pick<PseudonymList, 'audit'>): string {
  return `{fraction: ${audit.fraction}, referenceFraction: ${audit.referenceFraction}}`;
}

function isAscending(names: readonly string[]): boolean {
  return names.every((name, index) => index === 0 || name > (names[index - 1] ?? ''));
}

function invalid(detail: string): ParleyError {
  return new ParleyError('LINKAGE_INVALID', detail);
}
