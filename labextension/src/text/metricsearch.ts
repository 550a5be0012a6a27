/** Which metrics a search text means, and under which heading they stand. Pure functions. */

import type { Metric } from '../wire/protocol';

export type MetricSearch =
  { kind: 'found'; matches: (name: string) => boolean } | { kind: 'bad'; why: string };

/** `/…/` is a regular expression, anything else words that must all occur; neither cares for capitals. */
export function metricSearch(text: string): MetricSearch {
  const expression = /^\/(.+?)\/?$/s.exec(text.trim())?.[1];
  if (expression !== undefined) {
    try {
      const compiled = new RegExp(expression, 'iu');
      return { kind: 'found', matches: name => compiled.test(name) };
    } catch (error) {
      return { kind: 'bad', why: error instanceof Error ? error.message : String(error) };
    }
  }
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return { kind: 'found', matches: name => words.every(word => name.toLowerCase().includes(word)) };
}

/** Under which heading a metric stands: its prefix, or the device of a machine that it is of. */
export function partOf({ name, source }: Pick<Metric, 'name' | 'source'>): string {
  return source === 'system' ? (/^system\/(gpu\d+)\//.exec(name)?.[1] ?? '') : prefixOf(name);
}

/** What stands before the first slash of a metric's name; "" for one without. */
export function prefixOf(name: string): string {
  const slash = name.indexOf('/');
  return slash > 0 ? name.slice(0, slash) : '';
}
