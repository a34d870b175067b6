import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { z } from 'zod';
import { ClientConfig, SitePolicy } from '../../client/index.ts';
import { checkPlan } from '../../client/policy.ts';
import { CoordinatorConfig, protectionOf } from '../../coordinator/config.ts';
import { ServeConfig } from '../../coordinator/serve/serve-config.ts';
import { roundLine } from '../../scenarios/report/line.ts';
import { loadScenario, Scenario } from '../../scenarios/scenario.ts';
import { Grid } from '../../scenarios/sweep/grid.ts';
import { sweepOf } from '../../scenarios/sweep/jobs.ts';
import { numClassesOf, numFeaturesOf, parseDataSchema } from '../../shared/data/schema.ts';
import { numClasses } from '../../shared/model/spec.ts';
import { reportedEpsilon } from '../../shared/privacy/accounting/accountants.ts';
import { Manifest } from '../../shared/protocol/manifest.ts';
import { Plan, plannedEvent, protocolVersion } from '../../shared/protocol/plan.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import { aReport } from '../support/a-report.ts';
import { catalogueFiles } from '../support/catalogue.ts';
import { codeBlocks, type Key, keysOf, read } from './documents.ts';

/** Blocks by the file name in their first line, `# client.yaml`. */
function files(markdown: string): ReadonlyMap<string, string> {
  return new Map(codeBlocks(markdown, 'yaml').map((text) => [/^# (\S+)/.exec(text)?.[1] ?? '', text]));
}

const readme = files(read('README.md'));

function block(name: string): unknown {
  return parse(readme.get(name) ?? '', { maxAliasCount: 0 });
}

/** Top-level and nested keys that a parsed file gives. */
function given(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => given(item, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const childPath = path === '' ? key : `${path}.${key}`;
    return [childPath, ...given(child, childPath)];
  });
}

describe("the README's files", () => {
  test('are these and no others', () => {
    expect([...readme.keys()]).toEqual(['schema.yaml', 'policy.yaml', 'client.yaml', 'coordinator.yaml']);
  });

  test('fit the real schemas', () => {
    expect(() => parseDataSchema(block('schema.yaml'), 'schema.yaml')).not.toThrow();
    expect(() => SitePolicy.parse(block('policy.yaml'))).not.toThrow();
    expect(() => ClientConfig.parse(block('client.yaml'))).not.toThrow();
    expect(() => CoordinatorConfig.parse(block('coordinator.yaml'))).not.toThrow();
  });

  // Of alternatives the README shows one, and of defences at the server and of whole sites none; scenario-only keys and shared tables have no place at a real hospital.
  test.each([
    ['policy.yaml', SitePolicy, /^allowedModels\./],
    ['client.yaml', ClientConfig, /^seed$|^audit\.coins$|^(redTeam|data\.site|publicTable)(\.|$)/],
    [
      'coordinator.yaml',
      CoordinatorConfig,
      /^federation\.(seed$|arrivalChecks$|(averaging|distillation|earlyStopping|pruning|local\.silo)(\.|$)|(model\.(layers|output)|local\.defence|protection|server|published)\.)|^publicTable(\.|$)/,
    ],
  ] as const)('%s shows every key', (name, schema: z.ZodType, left) => {
    const shown = new Set(given(block(name)));
    const missing = keysOf(schema).filter(({ path }) => !left.test(path) && !shown.has(path));
    expect(missing.map(({ path }) => path)).toEqual([]);
  });

  test('agree with one another: model and data, plan and policy, budget and rounds', () => {
    const schema = parseDataSchema(block('schema.yaml'), 'schema.yaml');
    const policy = SitePolicy.parse(block('policy.yaml'));
    const client = ClientConfig.parse(block('client.yaml'));
    const { federation, sites } = CoordinatorConfig.parse(block('coordinator.yaml'));
    const { model, rounds, deadlines, cohort, local } = federation;
    expect(model.inputShape).toEqual([numFeaturesOf(schema)]);
    expect(numClasses(model)).toBe(numClassesOf(schema));
    expect(sites.map(({ id }) => id)).toContain(client.site);
    expect(deadlines.answerAfterMs).toBeGreaterThan(0);
    expect(deadlines.answerAfterMs).toBeLessThan(deadlines.roundMs);
    const protection = protectionOf(federation);
    const plan = Plan.parse({
      ...{ protocolVersion, run: 'readmission-1', round: 0, rounds, local, protection },
      model: { spec: model, sha256: '0'.repeat(64), sizeBytes: 1 },
      ...{ minSites: cohort.minSites, answerAfterMs: deadlines.answerAfterMs, deadlineMs: deadlines.roundMs },
    });
    expect(() => {
      checkPlan(plan, policy);
    }).not.toThrow();
    const spent = reportedEpsilon([{ event: plannedEvent(protection), count: rounds }], policy.delta);
    expect(spent).toBeLessThanOrEqual(policy.maxEpsilon);
    expect(spent).toBeGreaterThan(0.9 * policy.maxEpsilon);
  });
});

describe('docs/serving.md', () => {
  const shown: unknown = parse(files(read('docs/serving.md')).get('serve.yaml') ?? '', { maxAliasCount: 0 });

  test('shows every key of a server, and its defaults', () => {
    const config = ServeConfig.parse(shown);
    const paths = new Set(given(shown));
    // A surrogate's file is shown at the caller.
    const needed = keysOf(ServeConfig).filter(({ path }) => !/^(answer|hardened)\.surrogateFile$/.test(path));
    expect(needed.filter(({ path }) => !paths.has(path))).toEqual([]);
    const monitor = { ...config.monitor, reference: undefined };
    const bare = ServeConfig.parse({ schema: 's', directory: 'd', callers: [config.callers[0]] });
    const { answer, hardened, budget, limits } = config;
    expect({ answer, hardened, budget, limits, monitor }).toEqual({
      ...{ answer: bare.answer, hardened: bare.hardened, budget: bare.budget, limits: bare.limits },
      monitor: bare.monitor,
    });
  });
});

describe("the README's line", () => {
  test('has the parts that a round prints, in their order', () => {
    const [example = ''] = /^ {4}(round .*)$/m.exec(read('README.md'))?.slice(1) ?? [];
    const parts = (line: string): string[] =>
      line
        .split('  ')
        .map((part) => part.replaceAll(/\d[\d.e-]*/g, '0').replace(/group \S+( \S+)?=.*? 0/, 'group'));
    const report = aReport();
    const printed = roundLine({
      ...report,
      sites: { ...report.sites, declined: [], missing: [] },
      policy: { action: 'go-on', reasons: [] },
      epsilon: { ...report.epsilon, limit: 4 },
    });
    expect(parts(example)).toEqual(parts(printed));
    for (const part of example.split('  ')) expect(read('README.md')).toContain(`| \`${part}\` |`);
  });
});

const scenariosPage = read('docs/scenarios.md');
const rows = scenariosPage.split('\n').filter((line) => line.startsWith('| `'));

/** Rows of a table whose first cell names this path. */
function rowsOf(path: string): string[] {
  return rows.filter((row) => row.split(' | ')[0]?.includes(`\`${path}\``));
}

/** A model's keys are explained once, under `federation.model`, a defence's under `defence`; shared parts' under the scenario's `sites`. */
function explainedAt(path: string): string {
  return path
    .replace(/^sites\.policy\.allowedModels\./, 'federation.model.')
    .replace(/^(audit|trainer|noise)\./, 'sites.$1.')
    .replace(/^federation\.local\.defence\.defences\./, 'federation.local.defence.');
}

function undocumented(keys: readonly Key[]): string[] {
  return keys.map(({ path }) => path).filter((path) => rowsOf(explainedAt(path)).length === 0);
}

describe('docs/scenarios.md', () => {
  test.each([
    ['Scenario', Scenario],
    ['ClientConfig', ClientConfig],
    ['CoordinatorConfig', CoordinatorConfig],
  ] as const)('has a row for every key of %s', (_, schema: z.ZodType) => {
    const keys = keysOf(schema);
    expect(keys.length).toBeGreaterThan(15);
    expect(undocumented(keys.filter(({ path }) => path !== 'federation'))).toEqual([]);
  });

  test("shows the schema's defaults", () => {
    const wrong = keysOf(Scenario).flatMap(({ path, defaults }) => {
      const cells = rowsOf(explainedAt(path)).map((row) => row.split(' | ')[2] ?? '');
      const missing = defaults.filter((value) => !cells.some((cell) => showsDefault(cell, value)));
      return missing.map((value) => `${path}: ${JSON.stringify(value)} is not in "${cells.join('", "')}"`);
    });
    expect(wrong).toEqual([]);
  });

  test('names no key that no schema has', () => {
    const known = new Set(
      [Scenario, ClientConfig, CoordinatorConfig, RoundReport, Manifest].flatMap((schema: z.ZodType) =>
        keysOf(schema).map(({ path }) => path),
      ),
    );
    const named = rows.flatMap((row) =>
      [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path),
    );
    expect(named.filter((path) => !known.has(path) && !path.endsWith('.yaml'))).toEqual([]);
  });

  test('has every field of a round report and of a manifest', () => {
    const tables = rows.join('\n');
    const prose = scenariosPage.split('An **attack result** is')[1] ?? '';
    const missing = [RoundReport, Manifest]
      .flatMap((schema: z.ZodType) => keysOf(schema))
      .map(({ path }) => path)
      .filter((path) => {
        const shared = /^audit\.(user|attacks|groups|combined(?=\.tprAtFpr\.))\.(?:tprAtFpr\.)?(\w+)$/.exec(
          path,
        );
        if (shared !== null) return !prose.includes(`\`${shared[2] ?? ''}\``);
        const field = path.replace(/^published\./, 'federation.published.');
        return !tables.includes(`\`${field}\``);
      });
    expect(missing).toEqual([]);
    expect(scenariosPage).toContain(`\`reportVersion\` ${RoundReport.shape.reportVersion.value}.`);
  });

  test('its catalogue lists exactly the scenario files, and each is one', () => {
    const catalogue = catalogueFiles().scenarios;
    const listed = rows.flatMap((row) => /^\| `([\w-]+\.yaml)`/.exec(row)?.[1] ?? []);
    expect(listed.map((name) => `scenarios/catalog/${name}`).sort()).toEqual(catalogue.sort());
    for (const file of catalogue) expect(() => loadScenario(file)).not.toThrow();
  });

  test('its example is a scenario', () => {
    const example = files(scenariosPage).get('two-wards.yaml') ?? '';
    expect(() => Scenario.parse(parse(example, { maxAliasCount: 0 }))).not.toThrow();
  });
});

describe('docs/sweeps.md', () => {
  const page = read('docs/sweeps.md');

  test('has a row for every key of a grid, and none that it lacks', () => {
    const named = [...page.matchAll(/^\| `(\w+)` \| [\w ]+(?: >= 1)? \| [^|]+ \| [^|]+ \|$/gm)].map(
      ([, key]) => key,
    );
    expect(named).toEqual(Object.keys(Grid.shape));
  });

  test("lists the catalogue's grids, and its example is one", () => {
    for (const file of catalogueFiles().grids) expect(page).toContain(`| \`${basename(file)}\` |`);
    const example = Grid.parse(parse(files(page).get('grid.yaml') ?? '', { maxAliasCount: 0 }));
    const grid = {
      ...{ ...example, file: 'grid.yaml', name: 'grid' },
      scenarios: [{ file: join('scenarios/catalog', example.scenario ?? ''), set: {} }],
    };
    expect(sweepOf(grid, '').cells).toHaveLength(4);
  });
});

function showsDefault(cell: string, value: unknown): boolean {
  if (value === '') return cell === 'empty';
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const inside = Object.entries(value).map(([key, child]) => `${key}: ${String(child)}`);
    return cell.includes(`{${inside.join(', ')}}`);
  }
  const text =
    typeof value === 'number' && value > 0 && value < 1e-5 ? value.toFixed(6) : JSON.stringify(value);
  const plain = text.replaceAll(/^"|"$/g, '').replaceAll(/,(?=\d)/g, ', ');
  return cell.split(/; |: /).includes(plain) || cell === plain;
}
