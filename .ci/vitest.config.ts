import { defineConfig } from 'vitest/config';

const project = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout },
});

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      project('unit', 120_000),
      project('wire', 60_000),
      project('stats', 600_000),
      project('end-to-end', 1_200_000),
      project('docs', 120_000),
      project('mutants', 600_000),
    ],
  },
});
