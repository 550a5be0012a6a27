/** What one comparison shows, and how; all of it survives a reload. */
import type { JSONObject } from '@lumino/coreutils';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Metric } from '../wire/protocol';
import { boundedSize, type CompareState, type OwnSize } from './comparestate';

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

  /** The metrics that the runs have; `null` until they are known. */
  get metrics(): readonly Metric[] | null {
    return this._metrics;
  }

  /** Why the metrics could not be read, `null` when they could. */
  get problem(): string | null {
    return this._problem;
  }

  /** Emitted when the metrics were read, or could not be. */
  get metricsRead(): ISignal<this, void> {
    return this._metricsRead;
  }

  setMetrics(metrics: readonly Metric[] | null, problem: string | null): void {
    this._metrics = metrics;
    this._problem = problem;
    this._metricsRead.emit();
  }

  update(change: Partial<CompareState>): void {
    const before = this._state;
    this._state = { ...before, ...change };
    this._changed.emit(before);
  }

  fold(section: string, folded: boolean): void {
    const others = this._state.folded.filter(name => name !== section);
    this.update({ folded: folded ? [...others, section] : others });
  }

  /** Pins a chart behind those that are pinned, or takes it back to its part. */
  togglePin(key: string): void {
    const others = this._state.pinned.filter(other => other !== key);
    this.update({ pinned: others.length < this._state.pinned.length ? others : [...others, key] });
  }

  /** One place towards the beginning; one that is not pinned is pinned first. */
  moveEarlier(key: string): void {
    const pinned = [...this._state.pinned];
    const at = pinned.indexOf(key);
    if (at < 0) {
      this.update({ pinned: [key, ...pinned] });
    } else if (at > 0) {
      pinned.splice(at, 1);
      pinned.splice(at - 1, 0, key);
      this.update({ pinned });
    }
  }

  /** One place towards the end, of those that are pinned. */
  moveLater(key: string): void {
    const pinned = [...this._state.pinned];
    const at = pinned.indexOf(key);
    if (at >= 0 && at < pinned.length - 1) {
      pinned.splice(at, 1);
      pinned.splice(at + 1, 0, key);
      this.update({ pinned });
    }
  }

  /** Gives a chart a size of its own, `null` takes it back. */
  resize(key: string, size: OwnSize | null): void {
    const others = Object.entries(this._state.sizes).filter(([other]) => other !== key);
    this.update({ sizes: Object.fromEntries(size ? [...others, [key, boundedSize(size)]] : others) });
  }

  /** The arguments with which the command opens the same view again. */
  toArgs(): JSONObject {
    return {
      ...this._state,
      runs: [...this._state.runs],
      folded: [...this._state.folded],
      pinned: [...this._state.pinned],
      sizes: Object.fromEntries(Object.entries(this._state.sizes).map(([key, size]) => [key, { ...size }])),
      id: this.id
    };
  }

  private _metrics: readonly Metric[] | null = null;
  private _problem: string | null = null;
  private readonly _metricsRead = new Signal<this, void>(this);
  private readonly _changed = new Signal<this, CompareState>(this);
}
