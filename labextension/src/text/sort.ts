/** In which order runs stand in the list. Pure functions. */
import type { Run } from '../wire/protocol';
import { numberOf } from './format';

/** By start, by name, or by the last value of a metric. */
export type SortKey = 'started' | 'name' | `metric:${string}`;

export interface SortOrder {
  by: SortKey;
  descending: boolean;
}

export const NEWEST_FIRST: SortOrder = { by: 'started', descending: true };

/** The way round that is wanted first: newest, A to Z, lowest. */
export function orderBy(by: SortKey): SortOrder {
  return { by, descending: by === 'started' };
}

/**
 * Pinned runs stand first. Runs without the metric, or with NaN, stand last either way. Those that are equal stay newest
 * first.
 */
export function sortRuns(runs: readonly Run[], order: SortOrder): readonly Run[] {
  const sorted = inOrder(runs, order);
  return sorted.some(run => run.pinned)
    ? [...sorted.filter(run => run.pinned), ...sorted.filter(run => !run.pinned)]
    : sorted;
}

function inOrder(runs: readonly Run[], { by, descending }: SortOrder): readonly Run[] {
  const sign = descending ? -1 : 1;
  if (by === 'started') {
    return [...runs].sort((a, b) => sign * (a.created - b.created));
  }
  if (by === 'name') {
    const collator = new Intl.Collator(undefined, { numeric: true });
    return [...runs].sort((a, b) => sign * collator.compare(a.name, b.name));
  }
  const metric = by.slice('metric:'.length);
  return runs
    .map(run => ({ run, value: numberOf(run.summary[metric]) ?? NaN }))
    .sort((a, b) => {
      const missing = Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
      return missing || sign * (Number(a.value > b.value) - Number(a.value < b.value));
    })
    .map(({ run }) => run);
}

/** Names of last values that runs can be sorted by, as people sort names. */
export function sortableMetrics(runs: readonly Run[]): string[] {
  const names = new Set<string>();
  for (const run of runs) {
    for (const [name, value] of Object.entries(run.summary)) {
      if (!names.has(name) && numberOf(value) !== null) {
        names.add(name);
      }
    }
  }
  return [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}
