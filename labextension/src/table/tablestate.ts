/** How a table is arranged; survives a reload, and is what a saved view holds. Pure functions. */
import type { Json, JsonObject } from '../wire/protocol';
import { columnOf, LEAST_WIDTH, MOST_WIDTH, type Column } from './columns';

export interface TableState {
  filter: string;
  /** `null`: nobody has arranged them; the runs decide. */
  columns: readonly Column[] | null;
  sort: { by: string; descending: boolean };
  /** The column that runs are grouped by. */
  groupBy: string | null;
  /** Labels of the groups that are folded. */
  folded: readonly string[];
  /** Whether archived runs are shown. */
  archived: boolean;
  /** The runs that were chosen. */
  selected: readonly string[];
  /** How a comparison of them shows its charts. */
  charts: JsonObject;
  /** The saved view that this came from. */
  view: string | null;
}

export const PLAIN: TableState = {
  filter: '',
  columns: null,
  sort: { by: 'started', descending: true },
  groupBy: null,
  folded: [],
  archived: false,
  selected: [],
  charts: {},
  view: null
};

/** A state from what was saved; what is missing or wrong takes its default. */
export function tableStateFrom(saved: JsonObject): TableState {
  const { filter, columns, sort, groupBy, folded, archived, selected, charts, view } = saved;
  return {
    filter: typeof filter === 'string' ? filter : '',
    columns: Array.isArray(columns) ? columns.flatMap(columnFrom) : null,
    sort: sortFrom(sort),
    groupBy: text(groupBy),
    folded: strings(folded),
    archived: archived === true,
    selected: strings(selected),
    charts: isObject(charts) ? charts : {},
    view: text(view)
  };
}

export function stateToJson(state: TableState): JsonObject {
  return {
    ...state,
    columns: state.columns && state.columns.map(({ id, width }) => ({ id, width })),
    folded: [...state.folded],
    selected: [...state.selected]
  };
}

const isObject = (value: Json | undefined): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

const text = (value: Json | undefined): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

const strings = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

function columnFrom(value: Json): Column[] {
  const id = isObject(value) ? text(value['id']) : null;
  if (id === null) {
    return [];
  }
  const width = (value as JsonObject)['width'];
  return [typeof width === 'number' ? { id, width: within(width) } : columnOf(id)];
}

/** A width that can still be grasped. */
export const within = (width: number): number =>
  Math.round(Math.max(LEAST_WIDTH, Math.min(MOST_WIDTH, width)));

function sortFrom(value: Json | undefined): TableState['sort'] {
  const by = isObject(value) ? text(value['by']) : null;
  return by === null ? PLAIN.sort : { by, descending: (value as JsonObject)['descending'] === true };
}
