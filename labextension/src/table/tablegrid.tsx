/** The table itself: only the rows in view exist; mouse and keyboard choose runs. */
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useHeight, useNow } from '../hooks';
import { openMenu } from '../menu';
import type { Clock } from '../model/clock';
import { runActions } from '../sidebar/runmenu';
import type { Trackside } from '../trackside';
import type { Row } from './arrange';
import { columnLabel } from './columns';
import { gridKey } from './gridkeys';
import { TableHead } from './tablehead';
import type { TableModel } from './tablemodel';
import { GroupRow, ROW_HEIGHT, RunCells, tableRowId } from './tablerow';

/** Rows drawn beyond each edge. */
const OVERSCAN = 5;

export interface TableGridProps {
  trackside: Trackside;
  model: TableModel;
  clock: Clock;
  commands: CommandRegistry;
  compare: (ids: readonly string[]) => void;
}

export const rowKey = (row: Row): string => (row.kind === 'run' ? row.run.id : `group:${row.label}`);

export function TableGrid(props: TableGridProps): React.JSX.Element {
  const { trackside, model, clock } = props;
  const { runs, selection, colours, trans } = trackside;
  const { rows } = model.arrangement;
  const columns = useSame(model.columns);
  const node = React.useRef<HTMLDivElement>(null);
  const [top, setTop] = React.useState(0);
  const [activeKey, setActiveKey] = React.useState<string | null>(null);
  const anchor = React.useRef<string | null>(null);
  const height = useHeight(node, []);
  const first = Math.max(0, Math.floor(top / ROW_HEIGHT) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW_HEIGHT) + OVERSCAN);
  const visible = rows.slice(first, last);
  const pool = Math.ceil(height / ROW_HEIGHT) + 2 * OVERSCAN + 1;
  const now = useNow(
    clock,
    visible.some(row => row.kind === 'run' && row.run.status === 'running')
  );
  const context = { now };
  const active = activeKey === null ? -1 : rows.findIndex(row => rowKey(row) === activeKey);
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  const activate = (index: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    setActiveKey(row ? rowKey(row) : null);
    scrollTo(node.current, rows.indexOf(row as Row));
  };
  const grid = { ...props, rows, active, anchor, activate };

  return (
    <div
      ref={node}
      className={`jp-trackside-runGrid${model.filter.mistake ? ' jp-mod-held' : ''}`}
      role="treegrid"
      tabIndex={0}
      aria-label={trans.__('Runs')}
      aria-multiselectable="true"
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active >= 0 ? tableRowId(model.id, activeKey ?? '') : undefined}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
      onKeyDown={event => event.target === event.currentTarget && gridKey(event, grid, height)}
      onClick={event => onClick(event, grid)}
      onDoubleClick={event => {
        const row = rowAt(event, rows);
        if (row?.kind === 'run') {
          props.compare([row.run.id]);
        }
      }}
      onContextMenu={event => onContextMenu(event, grid)}
    >
      <TableHead {...{ model, columns, trans }} />
      <div role="presentation" style={{ height: rows.length * ROW_HEIGHT, width, position: 'relative' }}>
        <div role="presentation" style={{ transform: `translateY(${first * ROW_HEIGHT}px)`, width }}>
          {visible.map((row, index) => {
            const key = rowKey(row);
            const place = (first + index) % pool;
            const shared = {
              id: tableRowId(model.id, key),
              position: first + index + 2,
              active: first + index === active,
              trans
            };
            return row.kind === 'group' ? (
              <GroupRow key={place} {...shared} {...row} name={columnLabel(model.state.groupBy ?? '')} />
            ) : (
              <RunCells
                key={place}
                {...shared}
                {...{ run: row.run, columns, context }}
                style={colours.styleOf(row.run.id)}
                selected={selection.has(row.run.id)}
                namesake={runs.sharedNames.has(row.run.name)}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

/** What mouse and keyboard act on. */
export interface Grid extends TableGridProps {
  rows: readonly Row[];
  /** Index of the row that the keyboard is on, -1 for none. */
  active: number;
  /** Where a range began. */
  anchor: React.MutableRefObject<string | null>;
  activate: (index: number) => void;
}

/** The same array as long as its elements are the same. */
function useSame<T>(list: readonly T[]): readonly T[] {
  const kept = React.useRef(list);
  const same = kept.current.length === list.length && list.every((one, i) => one === kept.current[i]);
  kept.current = same ? kept.current : list;
  return kept.current;
}

function rowAt(event: React.MouseEvent, rows: readonly Row[]): Row | undefined {
  const node = (event.target as HTMLElement).closest<HTMLElement>('[data-run-id], [data-group]');
  const key = node?.dataset['runId'] ?? (node ? `group:${node.dataset['group'] ?? ''}` : null);
  return key === null ? undefined : rows.find(row => rowKey(row) === key);
}

/** Alone, with Ctrl besides, with Shift as far as here; the tick and a group by themselves. */
function onClick(event: React.MouseEvent, grid: Grid): void {
  const row = rowAt(event, grid.rows);
  if (!row) {
    return;
  }
  grid.activate(grid.rows.indexOf(row));
  if (row.kind === 'group') {
    grid.model.fold(row.label, !row.folded);
    return;
  }
  const { selection } = grid.trackside;
  const ticked = (event.target as HTMLElement).closest('[data-tick]') !== null;
  if (event.shiftKey) {
    selectTo(grid, grid.rows.indexOf(row));
    return;
  }
  grid.anchor.current = row.run.id;
  if (ticked || event.ctrlKey || event.metaKey) {
    selection.toggle(row.run.id);
  } else {
    selection.set([row.run.id]);
  }
}

/** Chooses the runs from where the range began to this row. */
export function selectTo({ rows, anchor, trackside }: Grid, index: number): void {
  const start = rows.findIndex(row => rowKey(row) === anchor.current);
  const [low, high] = start < 0 ? [index, index] : [Math.min(start, index), Math.max(start, index)];
  trackside.selection.set(rows.slice(low, high + 1).flatMap(row => (row.kind === 'run' ? [row.run.id] : [])));
}

function onContextMenu(event: React.MouseEvent, grid: Grid): void {
  const row = rowAt(event, grid.rows);
  if (row?.kind === 'run') {
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would open its own menu
    grid.activate(grid.rows.indexOf(row));
    menuOf(grid, row.run.id, event.clientX, event.clientY);
  }
}

export function menuOf(grid: Grid, id: string, x: number, y: number): void {
  const { trackside, commands, model } = grid;
  const run = trackside.runs.get(id);
  const focusAfter = document
    .getElementById(tableRowId(model.id, id))
    ?.closest<HTMLElement>('.jp-trackside-runGrid');
  if (run) {
    openMenu(runActions(run, trackside, commands), { x, y, focusAfter: focusAfter ?? null });
  }
}

function scrollTo(grid: HTMLElement | null, index: number): void {
  if (grid && index >= 0) {
    const head = ROW_HEIGHT;
    const [above, below] = [index * ROW_HEIGHT, (index + 1) * ROW_HEIGHT];
    if (above < grid.scrollTop) {
      grid.scrollTop = above;
    } else if (below + head > grid.scrollTop + grid.clientHeight) {
      grid.scrollTop = below + head - grid.clientHeight;
    }
  }
}
