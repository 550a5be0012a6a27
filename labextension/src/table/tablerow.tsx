/** The rows of the table: a run's cells, a group's heading. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { LineStyle } from '../model/palette';
import { PinMark, ShortId, Tick } from '../sidebar/runrow';
import { StatusIcon, statusLabel } from '../sidebar/status';
import { Swatch } from '../sidebar/swatch';
import type { Run } from '../wire/protocol';
import { priceSource, withoutCost } from '../text/cost';
import { cellText, cellValue, COST, type CellContext, type Column } from './columns';

/** Of every row, in pixels; the style sheet says the same. */
export const ROW_HEIGHT = 28;

// A row that scrolls out of view becomes another one that scrolls in: what is equal in both is not drawn again.
const Ticked = React.memo(Tick);
const State = React.memo(StatusIcon);
const Line = React.memo(
  Swatch,
  (before, after) => before.style.colour === after.style.colour && before.style.dash === after.style.dash
);

export const tableRowId = (table: string, row: string): string => `${table}-row-${row}`;

export interface RunCellsProps {
  id: string;
  run: Run;
  /** Counted from 1, the head included. */
  position: number;
  columns: readonly Column[];
  context: CellContext;
  style: LineStyle;
  selected: boolean;
  active: boolean;
  /** Whether another run has its name. */
  namesake: boolean;
  trans: TranslationBundle;
}

/** Of one run. Drawn again only when something in it has changed; a running one each second. */
export const RunCells = React.memo(
  function RunCells(props: RunCellsProps): React.JSX.Element {
    const { run, columns, context, selected, active } = props;
    return (
      <div
        id={props.id}
        className={`jp-trackside-tableRow${active ? ' jp-mod-active' : ''}`}
        role="row"
        aria-rowindex={props.position}
        aria-selected={selected}
        data-run-id={run.id}
        data-archived={run.archived || undefined}
      >
        {columns.map((column, index) =>
          index === 0 ? (
            <NameCell key="name" {...props} width={column.width} />
          ) : (
            <Cell key={column.id} {...{ run, context, column, trans: props.trans }} />
          )
        )}
      </div>
    );
  },
  (before, after) =>
    before.run === after.run &&
    before.position === after.position &&
    before.columns === after.columns &&
    before.selected === after.selected &&
    before.active === after.active &&
    before.namesake === after.namesake &&
    before.style.colour === after.style.colour &&
    before.style.dash === after.style.dash &&
    (after.run.finished !== null || before.context.now === after.context.now)
);

function NameCell(props: RunCellsProps & { width: number }): React.JSX.Element {
  const { run, style, selected, width, namesake } = props;
  return (
    <div
      className="jp-trackside-runCell jp-trackside-nameCell"
      role="rowheader"
      style={{ width }}
      title={namesake ? `${run.name}\n${run.id}` : run.name}
    >
      <span className="jp-trackside-tickHit" data-tick>
        <Ticked on={selected} />
      </span>
      <Line style={style} />
      {run.pinned && <PinMark />}
      <span className="jp-trackside-cellText">{run.name || run.id}</span>
      {namesake && <ShortId run={run.id} />}
    </div>
  );
}

interface CellProps {
  run: Run;
  column: Column;
  context: CellContext;
  trans: TranslationBundle;
}

function Cell({ run, column, context, trans }: CellProps): React.JSX.Element {
  const value = cellValue(run, column.id, context);
  const text =
    column.id === 'status'
      ? statusLabel(run.status, trans)
      : column.id === COST && value === null
        ? withoutCost(run, trans)
        : cellText(run, column.id, value, context.now);
  const title = column.id === 'status' ? run.status_detail : column.id === COST ? priceSource(run) : '';
  return (
    <div
      className="jp-trackside-runCell"
      role="gridcell"
      data-column={column.id}
      data-number={typeof value === 'number' || undefined}
      style={{ width: column.width }}
      title={title || text}
    >
      {column.id === 'status' && <State status={run.status} />}
      {column.id === 'tags' ? (
        run.tags.map(tag => (
          <span key={tag} className="jp-trackside-tag">
            {tag}
          </span>
        ))
      ) : (
        <span className="jp-trackside-cellText">{text.length > 500 ? `${text.slice(0, 500)}…` : text}</span>
      )}
    </div>
  );
}

interface GroupRowProps {
  id: string;
  label: string;
  name: string;
  count: number;
  folded: boolean;
  active: boolean;
  position: number;
  trans: TranslationBundle;
}

export function GroupRow(props: GroupRowProps): React.JSX.Element {
  const { label, name, count, folded, active, trans } = props;
  return (
    <div
      id={props.id}
      className={`jp-trackside-tableRow jp-trackside-groupRow${active ? ' jp-mod-active' : ''}`}
      role="row"
      aria-rowindex={props.position}
      aria-expanded={!folded}
      data-group={label}
    >
      <div className="jp-trackside-groupCell" role="rowheader">
        <span className="jp-trackside-fold" data-folded={folded || undefined} aria-hidden="true" />
        <span className="jp-trackside-groupName">{name}</span>
        <span className="jp-trackside-cellText">{label || trans.__('nothing')}</span>
        <span className="jp-trackside-badge">{count.toLocaleString('en-US')}</span>
      </div>
    </div>
  );
}
