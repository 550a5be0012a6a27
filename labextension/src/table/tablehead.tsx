/** The head of the table: sort by a column, make it wider, put it elsewhere. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { openMenu, type MenuAction } from '../menu';
import { columnLabels, type Column } from './columns';
import type { TableModel } from './tablemodel';

/** Pixels that a pointer moves before it is dragging. */
const DRAG_PX = 6;

interface TableHeadProps {
  model: TableModel;
  columns: readonly Column[];
  trans: TranslationBundle;
}

export function TableHead({ model, columns, trans }: TableHeadProps): React.JSX.Element {
  const labels = columnLabels(columns);
  return (
    <div className="jp-trackside-tableHead" role="row" aria-rowindex={1}>
      {columns.map((column, index) => (
        <HeadCell
          key={column.id}
          label={labels[index] as string}
          {...{ model, columns, column, index, trans }}
        />
      ))}
    </div>
  );
}

interface HeadCellProps extends TableHeadProps {
  column: Column;
  label: string;
  index: number;
}

function HeadCell({ model, columns, column, label, index, trans }: HeadCellProps): React.JSX.Element {
  const { by, descending } = model.state.sort;
  const sorted = by === column.id;
  const menu = (x: number, y: number, focusAfter: HTMLElement): void =>
    openMenu(headActions(model, column, index, trans), { x, y, focusAfter });
  return (
    <div
      className="jp-trackside-headCell"
      role="columnheader"
      aria-sort={sorted ? (descending ? 'descending' : 'ascending') : 'none'}
      data-column={column.id}
      style={{ width: column.width }}
      onContextMenu={event => {
        event.preventDefault();
        event.stopPropagation();
        menu(event.clientX, event.clientY, event.currentTarget);
      }}
    >
      <button
        className="jp-trackside-headButton"
        title={`${column.id}\n${trans.__('Click: sort. Drag: move. Right click or Shift+F10: more.')}`}
        onPointerDown={event => index > 0 && followDrag(event, model, columns, column)}
        onClick={event => event.detail >= 0 && model.sortBy(column.id)}
        onKeyDown={event => {
          if (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey)) {
            const { left, bottom } = event.currentTarget.getBoundingClientRect();
            menu(left, bottom, event.currentTarget);
            event.preventDefault();
          }
        }}
      >
        <span className="jp-trackside-cellText">{label}</span>
        {sorted && <span aria-hidden="true">{descending ? ' ↓' : ' ↑'}</span>}
      </button>
      <span
        className="jp-trackside-resize"
        aria-hidden="true"
        onPointerDown={event => followResize(event, model, column)}
      />
    </div>
  );
}

/** What the mouse does by dragging, and more, for the keyboard. */
function headActions(
  model: TableModel,
  column: Column,
  index: number,
  trans: TranslationBundle
): MenuAction[] {
  const { id, width } = column;
  const actions: MenuAction[] = [
    { id: 'up', label: trans.__('Sort Ascending'), run: () => model.update({ sort: { by: id, descending: false } }) },
    { id: 'down', label: trans.__('Sort Descending'), run: () => model.update({ sort: { by: id, descending: true } }) },
    { id: 'group', label: trans.__('Group by This'), run: () => model.update({ groupBy: id, folded: [] }) },
    { id: 'wider', label: trans.__('Wider'), run: () => model.resize(id, width * 1.4) },
    { id: 'narrower', label: trans.__('Narrower'), run: () => model.resize(id, width / 1.4) }
  ]; // prettier-ignore
  const movable: MenuAction[] = [
    { id: 'left', label: trans.__('Move Left'), run: () => model.move(id, index - 1) },
    { id: 'right', label: trans.__('Move Right'), run: () => model.move(id, index + 1) },
    { id: 'hide', label: trans.__('Hide'), run: () => model.show(id, false) }
  ];
  return index > 0 ? [...actions, ...movable] : actions;
}

/** Calls `moved` with how far the pointer has gone until it is let go. */
function follow(
  event: React.PointerEvent,
  moved: (dx: number) => void,
  done: () => void = () => undefined
): void {
  const start = event.clientX;
  const onMove = (move: PointerEvent): void => moved(move.clientX - start);
  const onUp = (): void => {
    window.removeEventListener('pointermove', onMove);
    window.removeEventListener('pointerup', onUp);
    window.removeEventListener('pointercancel', onUp);
    done();
  };
  window.addEventListener('pointermove', onMove);
  window.addEventListener('pointerup', onUp);
  window.addEventListener('pointercancel', onUp);
}

function followResize(event: React.PointerEvent, model: TableModel, { id, width }: Column): void {
  event.preventDefault();
  event.stopPropagation();
  follow(event, dx => model.resize(id, width + dx));
}

function followDrag(
  event: React.PointerEvent<HTMLElement>,
  model: TableModel,
  columns: readonly Column[],
  column: Column
): void {
  const button = event.currentTarget;
  const left = columns.slice(0, columns.indexOf(column)).reduce((sum, one) => sum + one.width, 0);
  let dragged = false;
  follow(
    event,
    dx => {
      if (dragged || Math.abs(dx) > DRAG_PX) {
        dragged = true;
        model.move(column.id, placeAt(model.columns, column.id, left + dx + column.width / 2));
      }
    },
    () => {
      if (dragged) {
        // The click that ends a drag does not sort.
        const stop = (click: Event): void => click.stopPropagation();
        button.addEventListener('click', stop, { capture: true, once: true });
        setTimeout(() => button.removeEventListener('click', stop, { capture: true }), 0);
      }
    }
  );
}

/** The place for a column whose middle is at `x` pixels. */
function placeAt(columns: readonly Column[], id: string, x: number): number {
  let [edge, place] = [0, 0];
  for (const column of columns) {
    if (column.id !== id) {
      if (x < edge + column.width / 2) {
        return place;
      }
      place += 1;
    }
    edge += column.width;
  }
  return place;
}
