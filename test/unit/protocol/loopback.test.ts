import { expect, test } from 'vitest';
import { isLoopback } from '../../../shared/protocol/loopback.ts';

test.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])('%s stays here', (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org', 'localhost.example.org', '1127.0.0.1', ''])(
  '%s does not',
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
