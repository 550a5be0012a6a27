/** The columns that a table can have: fields of a filter, and what a run has cost. Pure functions. */
import { fieldOf, kindOf } from '../filter/fields';
import { fieldValue } from '../filter/matching';
import { costOf, formatCost } from '../text/cost';
import { formatDuration, formatMoment, formatValue } from '../text/format';
import { lookOf, spelledOut } from '../text/looks';
import { formatMetric } from '../text/metrics';
import type { Json, Run } from '../wire/protocol';

/** A column's id is the name of a field, as in a filter, or `cost`. */
export interface Column {
  id: string;
  /** In pixels. */
  width: number;
}

export const LEAST_WIDTH = 48;
export const MOST_WIDTH = 1200;
export const COST = 'cost';

const WIDTHS: Readonly<Record<string, number>> = {
  name: 240, status: 100, started: 120, duration: 80, tags: 140, notes: 200, project: 110, group: 110, cost: 80, id: 190
}; // prettier-ignore

export const columnOf = (id: string): Column => ({ id, width: WIDTHS[id] ?? 110 });

/** What a cell needs to know beside the run. */
export interface CellContext {
  /** Seconds since the epoch. */
  now: number;
}

/** What a run has in a column; `null` for nothing. Numbers are numbers, whatever they look like. */
export function cellValue(run: Run, id: string, context: CellContext): Json {
  if (id === COST) {
    return costOf(run, context.now);
  }
  const field = fieldOf(id.replaceAll('`', ''));
  return field && fieldValue(run, field, context.now);
}

/** What stands in the cell. */
export function cellText(run: Run, id: string, value: Json, now: number): string {
  if (value === null) {
    return '';
  }
  if (id === COST) {
    return formatCost(value as number);
  }
  const field = fieldOf(id.replaceAll('`', ''));
  const kind = field && kindOf(field);
  if (kind === 'time') {
    return formatMoment(value as number, now);
  }
  if (kind === 'span') {
    return formatDuration(value as number);
  }
  if (kind === 'flag') {
    return value === true ? '✓' : '';
  }
  if (field?.kind === 'metric' && field.stat === 'last') {
    return formatMetric(run, field.name);
  }
  return Array.isArray(value) && value.every(one => typeof one === 'string')
    ? value.join(', ')
    : formatValue(value);
}

/** What stands above the column. */
export function columnLabel(id: string): string {
  const field = fieldOf(id.replaceAll('`', ''));
  if (field?.kind === 'metric') {
    return field.stat === 'last' ? field.name : `${field.name} ${field.stat}`;
  }
  return field && field.kind !== 'run' ? field.name : id;
}

/** What stands above each of these columns: the whole field where two would be called the same or look the same. */
export function columnLabels(columns: readonly Column[]): string[] {
  const labels = columns.map(({ id }) => columnLabel(id));
  const looks = labels.map(lookOf);
  return columns.map(({ id }, index) =>
    looks.filter(look => look === looks[index]).length > 1
      ? (spelledOut(id) ?? id)
      : (labels[index] as string)
  );
}

/** The columns of a table that nobody has arranged: what these runs have in common, not more than fits. */
export function defaultColumns(runs: readonly Run[]): Column[] {
  const often = (names: (run: Run) => string[], most: number): string[] => {
    const counts = new Map<string, number>();
    for (const run of runs.slice(0, 200)) {
      names(run).forEach(name => counts.set(name, (counts.get(name) ?? 0) + 1));
    }
    return [...counts].sort((a, b) => b[1] - a[1]).slice(0, most).map(([name]) => name); // prettier-ignore
  };
  const plain = (value: Json | undefined): boolean => typeof value !== 'object';
  const config = often(run => Object.keys(run.config).filter(key => plain(run.config[key])), 4);
  const metrics = often(run => Object.keys(run.extremes), 4);
  const ticked = (name: string): string => (/^[^\s"'`()[\],=<>!~]+$/u.test(name) ? name : `\`${name}\``);
  return [
    'name', 'status', 'started', 'duration', 'tags',
    ...config.map(key => `config.${ticked(key)}`),
    ...metrics.map(name => `${ticked(name)}.last`)
  ].map(columnOf); // prettier-ignore
}
