import { expect } from 'vitest';

/** Any error with this code. */
export const withCode = (code: string): unknown => expect.objectContaining({ code });
