/** Which of the compared runs stand side by side where each takes a whole column: so many at a time. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { CompareModel } from './comparemodel';
import type { CompareState } from './comparestate';

/** Columns at a time: nobody reads more side by side, and each is read from the server by itself. */
export const RUNS_AT_ONCE = 8;

export class RunColumns {
  constructor(private readonly model: CompareModel) {
    model.changed.connect(this.onModel, this);
  }

  /** The runs that are shown, in their order. */
  get ids(): readonly string[] {
    return this.model.state.runs.slice(this._first, this._first + RUNS_AT_ONCE);
  }

  /** Index of the first one that is shown. */
  get first(): number {
    return this._first;
  }

  /** Of all compared runs. */
  get count(): number {
    return this.model.state.runs.length;
  }

  /** Emitted when other runs are shown. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Shows those after (`1`) or before (`-1`) the ones that are shown. */
  turn(pages: number): void {
    this.set(this._first + pages * RUNS_AT_ONCE);
  }

  dispose(): void {
    this.model.changed.disconnect(this.onModel, this);
    Signal.clearData(this);
  }

  private onModel(_model: CompareModel, before: CompareState): void {
    if (this.model.state.runs !== before.runs) {
      this.set(this._first);
    }
  }

  private set(first: number): void {
    const last = Math.max(0, this.count - 1);
    const within = Math.max(0, Math.min(first, last));
    this._first = within - (within % RUNS_AT_ONCE);
    this._changed.emit();
  }

  private _first = 0;
  private readonly _changed = new Signal<this, void>(this);
}
