/** A value as a configuration file holds it, before any schema. */
type Mapping = Readonly<Record<string, unknown>>;

/**
 * `change` laid over `base`, as a JSON merge patch (RFC 7396): mappings are merged, null removes a key, all else replaces. One
 * rule more: a mapping with another `type` than the base's replaces it, since the keys of one kind mean nothing to another.
 */
export function merged(base: unknown, change: unknown): unknown {
  if (!isMapping(change)) return change;
  const start: Mapping = isMapping(base) && !isOtherKind(base, change) ? base : {};
  const kept = Object.entries(start).filter(([key]) => !Object.hasOwn(change, key));
  const laid = Object.entries(change).filter(([, value]) => value !== null);
  return Object.fromEntries([...kept, ...laid.map(([key, value]) => [key, merged(start[key], value)])]);
}

/**
 * `base` with the value at a dotted path replaced; null removes the key. Numbers in the path are places of a list, from 0.
 * Undefined where the path leads through something that has no keys, or beyond a list's end.
 */
export function withValueAt(base: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (Array.isArray(base)) {
    const items: readonly unknown[] = base;
    if (!/^\d+$/.test(key) || Number(key) >= items.length) return undefined;
    const item = withValueAt(items[Number(key)], rest, value);
    return item === undefined ? undefined : items.with(Number(key), item);
  }
  if (base !== undefined && !isMapping(base)) return undefined;
  const { [key]: inner, ...others } = base ?? {};
  if (rest.length === 0 && value === null) return others;
  const changed = withValueAt(inner, rest, value);
  return changed === undefined ? undefined : { ...base, [key]: changed };
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isOtherKind(base: Mapping, change: Mapping): boolean {
  return base['type'] !== undefined && change['type'] !== undefined && base['type'] !== change['type'];
}
