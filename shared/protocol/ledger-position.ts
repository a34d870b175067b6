import { z } from 'zod';
import { Sha256 } from '../units.ts';

/**
 * How far a site's privacy ledger has come: its number of entries and the hash of the newest one (of an empty ledger, the
 * hash that the chain begins with). A ledger that has once been at a position holds that position for ever; one that does
 * not is an older copy, or another ledger.
 */
export const LedgerPosition = z.strictObject({ length: z.number().int().nonnegative(), head: Sha256 });
export type LedgerPosition = z.infer<typeof LedgerPosition>;
