import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openLedgerHeads } from '../../../coordinator/ledger-heads.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { SiteId } from '../../../shared/units.ts';
import { headsInMemory, position } from '../../support/ledger-positions.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const [east, west] = [SiteId.parse('east'), SiteId.parse('west')];
const anyPosition = fc
  .tuple(fc.nat(6), fc.constantFrom('a', 'b'))
  .map(([length, of]) => position(length, of));

describe('the ledgers that a coordinator has seen', () => {
  test('only ever grow: what is remembered is the last one that was longer, or the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPosition, { maxLength: 20 }), async (said) => {
        const store = headsInMemory();
        const heads = await openLedgerHeads(store);
        let seen = heads.newest(east);
        expect(seen).toBeNull();
        for (const ledger of said) {
          const isFine = !seen || ledger.length > seen.length || ledger.head === seen.head;
          const remember = (): Promise<void> => heads.remember(east, ledger);
          if (isFine) {
            heads.assertNotOlder(east, ledger);
            await remember();
            seen = ledger;
          } else {
            const refusal = expect.objectContaining({ code: 'LEDGER_ROLLBACK' }) as unknown;
            expect(() => {
              heads.assertNotOlder(east, ledger);
            }).toThrow(refusal);
            expect(remember).toThrow(refusal);
          }
          expect([heads.newest(east), heads.newest(west)]).toEqual([seen, null]);
          expect(store.kept.get(east) ?? null).toEqual(seen);
        }
        expect((await openLedgerHeads(store)).newest(east)).toEqual(seen);
      }),
      { numRuns: 50 },
    );
  });

  test('are the same after the run directory was closed and opened', async () => {
    const directory = join(temporaryFolder(), 'run');
    const before = await openStore(directory);
    const heads = await openLedgerHeads(before);
    await heads.remember(east, position(0));
    await heads.remember(west, position(7));
    await heads.remember(east, position(3, 'b'));
    await before.close();
    const after = await openStore(directory);
    const known = await openLedgerHeads(after);
    expect([known.newest(east), known.newest(west)]).toEqual([position(3, 'b'), position(7)]);
    await after.close();
  });

  test('say which site, what was seen, what came instead, and what to do', async () => {
    const heads = await openLedgerHeads(headsInMemory());
    await heads.remember(east, position(3));
    for (const part of ['site east', '2 entries', 'is older', '3 entries', 'bring back the newest copy'])
      expect(() => {
        heads.assertNotOlder(east, position(2));
      }).toThrow(part);
    expect(() => {
      heads.assertNotOlder(east, position(3, 'c'));
    }).toThrow('has another history');
  });
});
