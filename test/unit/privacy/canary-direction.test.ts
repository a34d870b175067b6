import { createCipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addUpdate,
  alongDirection,
  type CanaryName,
  canaryDirection,
  canaryUpdate,
} from '../../../shared/privacy/canary-direction.ts';
import { l2Norm } from '../../../shared/privacy/clip.ts';
import type { SummedUpdate } from '../../../shared/privacy/update.ts';
import { RunId, SiteId } from '../../../shared/units.ts';

const name = (canary: number, site = 'north', run = 'run-1'): CanaryName => ({
  run: RunId.parse(run),
  site: SiteId.parse(site),
  canary,
});
const sizes = fc.integer({ min: 1, max: 300 });
const numbers = fc.nat(1000);

/** The signs as the documents say them, in plain steps. */
function signsByHand({ run, site, canary }: CanaryName, numParams: number): number[] {
  const fields = ['parley canary direction', run, site, String(canary)];
  const text = fields.map((field) => {
    const bytes = Buffer.from(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  const key = createHash('sha256').update(Buffer.concat(text)).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(numParams));
  return Array.from({ length: numParams }, (_, i) => ((stream[i >> 3]! >> (i % 8)) % 2 === 1 ? 1 : -1));
}

describe('a canary direction', () => {
  test('has length 1, coordinates of one size, and the signs that its name says', () => {
    fc.assert(
      fc.property(numbers, sizes, (canary, numParams) => {
        const update = canaryUpdate(canaryDirection(name(canary), numParams), Math.sqrt(numParams));
        expect([...update]).toEqual(signsByHand(name(canary), numParams));
        expect(alongDirection(canaryDirection(name(canary), numParams), update)).toBeCloseTo(
          Math.sqrt(numParams),
          9,
        );
        expect(l2Norm(update)).toBeCloseTo(Math.sqrt(numParams), 5);
      }),
    );
  });

  test('is another one for another run, site or number, and the same for the same name', () => {
    const signs = (own: CanaryName): string => Buffer.from(canaryDirection(own, 256).signs).toString('hex');
    const all = [
      name(0),
      name(1),
      name(0, 'south'),
      name(0, 'north', 'run-2'),
      name(1, 'north1'),
      name(11, 'north'),
    ];
    expect(new Set(all.map(signs)).size).toBe(all.length);
    expect(signs(name(3))).toBe(signs(name(3)));
  });

  test('is nearly orthogonal to the others, as random signs are', () => {
    // A product of two random directions has standard deviation 1/sqrt(d); 6 of them are passed once in 5e8.
    const numParams = 4096;
    const directions = Array.from({ length: 40 }, (_, canary) => canaryDirection(name(canary), numParams));
    for (const [index, direction] of directions.entries())
      for (const other of directions.slice(index + 1))
        expect(Math.abs(alongDirection(direction, canaryUpdate(other, 1)))).toBeLessThan(
          6 / Math.sqrt(numParams),
        );
  });

  test('the product is the plain sum over the first numParams values, in floats and in integers', () => {
    fc.assert(
      fc.property(
        numbers,
        fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { minLength: 1, maxLength: 99 }),
        (canary, values) => {
          const signs = signsByHand(name(canary), values.length);
          const expected =
            values.reduce((sum, value, i) => sum + value * signs[i]!, 0) / Math.sqrt(values.length);
          const direction = canaryDirection(name(canary), values.length);
          expect(alongDirection(direction, Int32Array.from(values))).toBe(expected);
          // The count of adaptive clipping stands behind the parameters.
          expect(alongDirection(direction, Float64Array.from([...values, 1e9]))).toBe(expected);
        },
      ),
    );
  });

  test('its update is added coordinate by coordinate', () => {
    const sum = Float64Array.of(1, 2, 3) as SummedUpdate;
    addUpdate(sum, Float32Array.of(0.5, -0.5, 0.25));
    expect([...sum]).toEqual([1.5, 1.5, 3.25]);
  });
});
