import type { OtherRun, RunFacts } from './subject.ts';

/** Keys that are compared one by one, since a defence or an option in them is a difference of its own. */
const opened = ['local', 'audit', 'cohort'];

/** Names and what concerns only how a run is shown. */
const ignored = ['name', 'description', 'published'];

/**
 * Where two runs differ, as paths in order: of the federation's configuration, of `data`, of the audit users (`sites.audit`), `sites`
 * (their ids and numbers of users) and `seed`. Names do not count.
 */
export function differencesOf(one: RunFacts, other: RunFacts): OtherRun['differs'] {
  return [
    ...differingKeys(comparable(one), comparable(other)),
    ...differing('data', one.scenario?.data, other.scenario?.data),
    ...differing('sites.audit', one.scenario?.sites.audit, other.scenario?.sites.audit),
    ...differing('sites', sitesOf(one), sitesOf(other)),
    ...differing('seed', one.manifest.seed, other.manifest.seed),
  ];
}

type Values = Readonly<Record<string, unknown>>;

function comparable({ config }: RunFacts): Values {
  const entries: [string, unknown][] = Object.entries(config)
    .filter(([key]) => !ignored.includes(key) && key !== 'seed')
    .flatMap(([key, value]): [string, unknown][] =>
      opened.includes(key)
        ? Object.entries(value as object).map(([inner, own]): [string, unknown] => [`${key}.${inner}`, own])
        : [[key, value]],
    );
  return Object.fromEntries(entries);
}

function differingKeys(one: Values, other: Values): string[] {
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return keys.flatMap((key) => differing(key, one[key], other[key]));
}

function differing(path: string, one: unknown, other: unknown): string[] {
  return JSON.stringify(one) === JSON.stringify(other) ? [] : [path];
}

function sitesOf({ manifest }: RunFacts): unknown {
  return manifest.sites;
}
