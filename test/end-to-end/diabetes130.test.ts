import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dataDirectory, declaredAttackOnly, simulated } from '../support/simulated.ts';

describe.runIf(existsSync(join(dataDirectory, 'diabetes130')))(
  'readmission within 30 days at four sites',
  () => {
    test('user-level privacy at epsilon 2 against the coordinator keeps a test AUC of 0.63', async () => {
      const last = (await simulated('diabetes130', 1, declaredAttackOnly)).reports.at(-1);
      expect(last?.utility.value).toBeGreaterThanOrEqual(0.63);
      expect(last?.epsilon.coordinator).toBeLessThanOrEqual(2);
      expect(last?.epsilon.recipients).toBeLessThan(2);
      expect(last?.epsilon.delta).toBe(1e-6);
      expect(last?.sites.answered).toHaveLength(4);
    });

    test('without protection it reaches 0.645, and the report says that nothing is promised', async () => {
      const last = (await simulated('diabetes130-unprotected', 1, declaredAttackOnly)).reports.at(-1);
      expect(last?.utility.value).toBeGreaterThanOrEqual(0.645);
      expect(last?.epsilon.coordinator).toBe('infinite');
    });
  },
);
