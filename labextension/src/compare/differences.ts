/** Config and summary of several runs as one table. Pure functions. */
import type { Json, JsonObject } from '../wire/protocol';

export interface TableRow {
  /** Dotted path of a nested key: `optimizer.lr`. */
  key: string;
  /** One value a run, `undefined` where the run has no such key. */
  values: (Json | undefined)[];
  /** Whether the runs do not all say the same. */
  differs: boolean;
}

/** Nested objects as dotted paths; lists and empty objects stay values. */
export function flatten(object: JsonObject, prefix = ''): Map<string, Json> {
  const flat = new Map<string, Json>();
  for (const [key, value] of Object.entries(object)) {
    const path = prefix + key;
    if (
      value !== null &&
      typeof value === 'object' &&
      !Array.isArray(value) &&
      Object.keys(value).length > 0
    ) {
      flatten(value, `${path}.`).forEach((inner, innerPath) => flat.set(innerPath, inner));
    } else {
      flat.set(path, value);
    }
  }
  return flat;
}

/** One row a key, in the order in which the runs first name them. */
export function tableRows(objects: readonly JsonObject[]): TableRow[] {
  const flats = objects.map(object => flatten(object));
  const keys = new Set(flats.flatMap(flat => [...flat.keys()]));
  return [...keys].map(key => {
    const values = flats.map(flat => flat.get(key));
    const texts = new Set(values.map(value => (value === undefined ? undefined : canonical(value))));
    return { key, values, differs: texts.size > 1 };
  });
}

/** A text that is equal exactly for equal values, whatever the order of keys. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_key, inner: Json) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner
  );
}
