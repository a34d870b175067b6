import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { along, rateAxis, roundAxis, valueAxis } from '../../../scenarios/report/axis.ts';

const figures = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 30 });

describe('axes', () => {
  test('a value axis holds all values, between few round ticks', () => {
    fc.assert(
      fc.property(figures, (values) => {
        const axis = valueAxis('y', values);
        expect(axis.low).toBeLessThan(axis.high);
        expect(axis.low).toBeLessThanOrEqual(Math.min(...values) + 1e-6);
        expect(axis.high).toBeGreaterThanOrEqual(Math.max(...values) - 1e-6);
        expect(axis.ticks.length).toBeGreaterThanOrEqual(2);
        expect(axis.ticks.length).toBeLessThanOrEqual(7);
      }),
    );
  });

  test('values that no drawing tells apart are one value', () => {
    const axis = valueAxis('y', [0, 5e-324]);
    expect(axis.low).toBeLessThan(axis.high);
    expect(axis.ticks.every(Number.isFinite)).toBe(true);
  });

  test('its ticks are told apart by what is written', () => {
    expect(valueAxis('y', [0.512, 0.671]).ticks.map(valueAxis('y', [0.512, 0.671]).write)).toEqual([
      '0.50',
      '0.55',
      '0.60',
      '0.65',
      '0.70',
    ]);
  });

  test('a round axis runs from the first to the last round, ticks apart', () => {
    expect(roundAxis([1, 50]).ticks).toEqual([1, 10, 20, 30, 40, 50]);
    expect(roundAxis([1, 2]).ticks).toEqual([1, 2]);
    expect(roundAxis([7])).toMatchObject({ low: 6.5, high: 7.5, ticks: [7] });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (rounds) => {
        const { ticks } = roundAxis([1, rounds]);
        expect(ticks.every(Number.isInteger)).toBe(true);
        expect(ticks.length).toBeLessThanOrEqual(8);
      }),
    );
  });

  test('a rate axis is marked at powers of ten', () => {
    const axis = rateAxis('rate', 0.001);
    expect(axis.ticks.map(axis.write)).toEqual(['0.1%', '1%', '10%', '100%']);
    expect([0, 0.001, 0.01, 0.1, 1].map((rate) => along(axis, rate).toFixed(3))).toEqual([
      '0.000',
      '0.000',
      '0.333',
      '0.667',
      '1.000',
    ]);
  });

  test('positions never leave the axis and keep the order', () => {
    fc.assert(
      fc.property(figures, fc.boolean(), (values, logarithmic) => {
        const axis = logarithmic ? rateAxis('rate', 0.001) : valueAxis('y', [0, 1]);
        const placed = [...values].sort((a, b) => a - b).map((value) => along(axis, value));
        expect(placed.every((at) => at >= 0 && at <= 1)).toBe(true);
        expect(placed).toEqual([...placed].sort((a, b) => a - b));
      }),
    );
  });
});
