/** What one table shows: its state, the filter in force, the rows that come of them and of the runs. */
import { Signal, type ISignal } from '@lumino/signaling';

import { filtered, NO_FILTER, retyped, type RunFilter } from '../filter/runfilter';
import type { Trackside } from '../trackside';
import { arranged, sorted, type Arrangement } from './arrange';
import { columnOf, defaultColumns, type CellContext, type Column } from './columns';
import { within, type TableState } from './tablestate';

export class TableModel {
  constructor(
    readonly id: string,
    private readonly trackside: Trackside,
    private _state: TableState
  ) {
    this._filter = retyped(NO_FILTER, _state.filter, []);
  }

  get state(): TableState {
    return this._state;
  }

  /** Emitted when the state has changed: what is shown, and what is to be kept. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get filter(): RunFilter {
    return this._filter;
  }

  /** The columns as they stand, `name` always first. */
  get columns(): readonly Column[] {
    const chosen = this._state.columns ?? this.byThemselves();
    return chosen[0]?.id === 'name'
      ? chosen
      : [columnOf('name'), ...chosen.filter(column => column.id !== 'name')];
  }

  get context(): CellContext {
    return { now: Date.now() / 1000 };
  }

  /** The rows; the same object until runs, filter or order change. */
  get arrangement(): Arrangement {
    const { list } = this.trackside.runs;
    const { sort, groupBy, folded, archived } = this._state;
    const of = [list, this._filter.expression, sort, groupBy, folded, archived];
    if (!this.made || of.some((part, index) => part !== this.made?.of[index])) {
      const context = this.context;
      const meant = filtered(list, this._filter.expression, context.now, archived);
      this.made = { of, rows: arranged(sorted(meant, sort, context), this._state, context) };
    }
    return this.made.rows;
  }

  update(change: Partial<TableState>): void {
    this._state = { ...this._state, ...change };
    if (change.filter !== undefined) {
      this._filter = retyped(this._filter, change.filter, this.trackside.runs.list);
    }
    this._changed.emit();
  }

  /** By another column: the way round that is wanted first; by the same: the other way round. */
  sortBy(id: string): void {
    const { by, descending } = this._state.sort;
    this.update({ sort: { by: id, descending: id === by ? !descending : id === 'started' } });
  }

  fold(label: string, folded: boolean): void {
    const others = this._state.folded.filter(one => one !== label);
    this.update({ folded: folded ? [...others, label] : others });
  }

  resize(id: string, width: number): void {
    this.setColumns(this.columns.map(column => (column.id === id ? { id, width: within(width) } : column)));
  }

  /** Puts a column in the place of another one; `name` stays where it is. */
  move(id: string, place: number): void {
    const moved = this.columns.find(column => column.id === id);
    if (moved && id !== 'name') {
      const others = this.columns.filter(column => column.id !== id);
      const at = Math.max(1, Math.min(others.length, place));
      this.setColumns([...others.slice(0, at), moved, ...others.slice(at)]);
    }
  }

  show(id: string, shown: boolean): void {
    const others = this.columns.filter(column => column.id !== id);
    this.setColumns(shown ? [...others, columnOf(id)] : others);
  }

  setColumns(columns: readonly Column[] | null): void {
    this.update({ columns });
  }

  /** Columns that the runs suggest; decided once, so that they do not change under the reader's eyes. */
  private byThemselves(): readonly Column[] {
    const { list } = this.trackside.runs;
    const few = this.suggested === null || this.suggestedFor < Math.min(list.length, 20);
    if (few) {
      this.suggested = defaultColumns(list);
      this.suggestedFor = list.length;
    }
    return this.suggested ?? [];
  }

  private _filter: RunFilter;
  private made: { of: unknown[]; rows: Arrangement } | null = null;
  private suggested: readonly Column[] | null = null;
  private suggestedFor = 0;
  private readonly _changed = new Signal<this, void>(this);
}
