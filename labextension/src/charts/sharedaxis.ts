/** An x axis that several charts share: what is in view, and where the pointer is. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { XAxis } from '../wire/protocol';
import { padded, union, type Extent } from './geometry';

export class SharedAxis {
  constructor(readonly kind: XAxis) {}

  /** What is in view, in units of x. */
  get view(): Extent {
    return this.zoom ?? padded(this.full ?? { start: 0, end: 1 }, 0.02);
  }

  /** What was zoomed to; `null` when everything is in view and new points widen it. */
  get zoomed(): Extent | null {
    return this.zoom;
  }

  get viewChanged(): ISignal<this, Extent> {
    return this._viewChanged;
  }

  /** Emitted when somebody zoomed or reset, so that finer data is wanted; not when new points came. */
  get zoomChanged(): ISignal<this, void> {
    return this._zoomChanged;
  }

  /** Where the pointer is in units of x, `null` when it is on no chart. */
  get pointer(): number | null {
    return this._pointer;
  }

  get pointerChanged(): ISignal<this, number | null> {
    return this._pointerChanged;
  }

  /** Everything there is to see has at least this extent. */
  widen(extent: Extent | null): void {
    const full = union(this.full, extent);
    if (full && (full.start !== this.full?.start || full.end !== this.full.end)) {
      this.full = full;
      if (!this.zoom) {
        this._viewChanged.emit(this.view);
      }
    }
  }

  zoomTo(extent: Extent | null): void {
    if (extent?.start === this.zoom?.start && extent?.end === this.zoom?.end) {
      return;
    }
    this.zoom = extent;
    this._viewChanged.emit(this.view);
    this._zoomChanged.emit();
  }

  point(at: number | null): void {
    if (at !== this._pointer) {
      this._pointer = at;
      this._pointerChanged.emit(at);
    }
  }

  private full: Extent | null = null;
  private zoom: Extent | null = null;
  private _pointer: number | null = null;
  private readonly _viewChanged = new Signal<this, Extent>(this);
  private readonly _zoomChanged = new Signal<this, void>(this);
  private readonly _pointerChanged = new Signal<this, number | null>(this);
}
