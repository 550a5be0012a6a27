/** What one comparison shows, and how; all of it survives a reload. */
import type { JSONObject } from '@lumino/coreutils';
import { Signal, type ISignal } from '@lumino/signaling';

import type { CompareState, SectionName } from './comparestate';

export class CompareModel {
  constructor(
    readonly id: string,
    private _state: CompareState
  ) {}

  get state(): CompareState {
    return this._state;
  }

  /** Emitted with what was before. */
  get changed(): ISignal<this, CompareState> {
    return this._changed;
  }

  /** The run that is pointed at in the legend. */
  get highlighted(): string | null {
    return this._highlighted;
  }

  get highlightChanged(): ISignal<this, string | null> {
    return this._highlightChanged;
  }

  /** How many metrics the runs have; `null` until that is known. */
  get metricCount(): number | null {
    return this._metricCount;
  }

  set metricCount(count: number | null) {
    if (count !== this._metricCount) {
      this._metricCount = count;
      this._metricCountChanged.emit();
    }
  }

  get metricCountChanged(): ISignal<this, void> {
    return this._metricCountChanged;
  }

  update(change: Partial<CompareState>): void {
    const before = this._state;
    this._state = { ...before, ...change };
    this._changed.emit(before);
  }

  fold(section: SectionName, folded: boolean): void {
    const others = this._state.folded.filter(name => name !== section);
    this.update({ folded: folded ? [...others, section] : others });
  }

  highlight(run: string | null): void {
    this._highlighted = run;
    this._highlightChanged.emit(run);
  }

  /** The arguments with which the command opens the same view again. */
  toArgs(): JSONObject {
    return { ...this._state, runs: [...this._state.runs], folded: [...this._state.folded], id: this.id };
  }

  private _metricCount: number | null = null;
  private readonly _metricCountChanged = new Signal<this, void>(this);
  private _highlighted: string | null = null;
  private readonly _changed = new Signal<this, CompareState>(this);
  private readonly _highlightChanged = new Signal<this, string | null>(this);
}
