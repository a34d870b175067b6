import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** Files that are or will be committed, by path from the root of the repository. */
export function repositoryFiles(): string[] {
  const options = ['ls-files', '--cached', '--others', '--exclude-standard'];
  return [...new Set(execFileSync('git', options, { encoding: 'utf8' }).trim().split('\n'))];
}

export function read(file: string): string {
  return readFileSync(file, 'utf8');
}

/** The README and every document. */
export function documents(): string[] {
  return repositoryFiles().filter((file) => /^(README|CHANGELOG|docs\/[^/]+)(\.md)$/.test(file));
}

/** Fenced code blocks of one language, without the indentation of the list item that they stand in. */
export function codeBlocks(markdown: string, language: string): string[] {
  const fence = new RegExp(`^( *)\`\`\`${language}\\n(.*?)^ *\`\`\``, 'gms');
  return [...markdown.matchAll(fence)].map(([, indentation = '', text = '']) =>
    text.replaceAll(new RegExp(`^${indentation}`, 'gm'), ''),
  );
}

/** One key of a configuration or field of a report: its path, such as `federation.local.epochs`, and its defaults. */
export interface Key {
  readonly path: string;
  readonly defaults: readonly unknown[];
}

/** Every key of a schema at any depth, each path once; list items and alternatives share their list's path. */
export function keysOf(schema: z.ZodType): Key[] {
  const found = new Map<string, unknown[]>();
  collect(Node.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })), '', found);
  return [...found].map(([path, defaults]) => ({ path, defaults }));
}

interface Node {
  readonly properties?: Readonly<Record<string, Node>> | undefined;
  readonly anyOf?: readonly Node[] | undefined;
  readonly oneOf?: readonly Node[] | undefined;
  /** `false` after the fixed places of a tuple. */
  readonly items?: Node | boolean | undefined;
  readonly default?: unknown;
}

const Node: z.ZodType<Node> = z.lazy(() =>
  z.object({
    properties: z.record(z.string(), Node).optional(),
    anyOf: z.array(Node).optional(),
    oneOf: z.array(Node).optional(),
    items: Node.or(z.boolean()).optional(),
    default: z.unknown().optional(),
  }),
);

function collect(node: Node, path: string, found: Map<string, unknown[]>): void {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    const childPath = path === '' ? key : `${path}.${key}`;
    const defaults = found.get(childPath) ?? [];
    found.set(childPath, child.default === undefined ? defaults : [...defaults, child.default]);
    collect(child, childPath, found);
  }
  for (const alternative of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) collect(alternative, path, found);
  if (typeof node.items === 'object') collect(node.items, path, found);
}
