/** The rows of a table: which runs, in which order, in which groups. Pure functions. */
import type { Json, Run } from '../wire/protocol';
import { cellText, cellValue, type CellContext } from './columns';
import type { TableState } from './tablestate';

export type Row =
  { kind: 'group'; label: string; count: number; folded: boolean } | { kind: 'run'; run: Run };

export interface Arrangement {
  rows: readonly Row[];
  /** The runs in the order of the rows, those of folded groups too. */
  runs: readonly Run[];
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** Numbers by size, texts as people sort them, numbers before texts; what is missing or NaN last either way. */
export function compareValues(a: Json, b: Json, descending: boolean): number {
  const [first, second] = [rank(a), rank(b)];
  if (first !== second || first === MISSING) {
    return first === MISSING || second === MISSING
      ? first - second
      : descending
        ? second - first
        : first - second;
  }
  const order = first === NUMBER ? Number(a) - Number(b) || 0 : collator.compare(plain(a), plain(b));
  return descending ? -order : order;
}

const [NUMBER, TEXT, MISSING] = [0, 1, 2];

function rank(value: Json): number {
  if (value === null || value === '' || (typeof value === 'number' && Number.isNaN(value))) {
    return MISSING;
  }
  return typeof value === 'number' || typeof value === 'boolean' ? NUMBER : TEXT;
}

const plain = (value: Json): string =>
  typeof value === 'string'
    ? value
    : Array.isArray(value)
      ? value.map(plain).join(', ')
      : JSON.stringify(value);

/** Sorted by a column: pinned runs first, equal ones newest first. */
export function sorted(runs: readonly Run[], sort: TableState['sort'], context: CellContext): readonly Run[] {
  const keyed = runs.map(run => ({ run, key: cellValue(run, sort.by, context) }));
  keyed.sort(
    (a, b) =>
      Number(b.run.pinned) - Number(a.run.pinned) ||
      compareValues(a.key, b.key, sort.descending) ||
      b.run.created - a.run.created
  );
  return keyed.map(({ run }) => run);
}

/** Rows of runs that are filtered and sorted already. */
export function arranged(
  runs: readonly Run[],
  { groupBy, folded }: Pick<TableState, 'groupBy' | 'folded'>,
  context: CellContext
): Arrangement {
  if (groupBy === null) {
    return { rows: runs.map(run => ({ kind: 'run', run })), runs };
  }
  const groups = new Map<string, { value: Json; runs: Run[] }>();
  for (const run of runs) {
    const value = cellValue(run, groupBy, context);
    const label = cellText(run, groupBy, value, context.now);
    const group = groups.get(label) ?? { value, runs: [] };
    group.runs.push(run);
    groups.set(label, group);
  }
  const ordered = [...groups].sort(([, a], [, b]) => compareValues(a.value, b.value, false));
  const closed = new Set(folded);
  return {
    runs: ordered.flatMap(([, group]) => group.runs),
    rows: ordered.flatMap(([label, group]): Row[] => [
      { kind: 'group', label, count: group.runs.length, folded: closed.has(label) },
      ...(closed.has(label) ? [] : group.runs.map((run): Row => ({ kind: 'run', run })))
    ])
  };
}
