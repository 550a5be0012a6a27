/** Seconds that tick, only while somebody looks. */
import { Signal, type ISignal } from '@lumino/signaling';

export class Clock {
  /** Seconds since the epoch. */
  get now(): number {
    return Date.now() / 1000;
  }

  get ticked(): ISignal<this, void> {
    return this._ticked;
  }

  /** Ticks every second until stopped; may be called again. */
  start(): void {
    this.timer ||= window.setInterval(() => this._ticked.emit(), 1000);
  }

  stop(): void {
    window.clearInterval(this.timer);
    this.timer = 0;
  }

  private timer = 0;
  private readonly _ticked = new Signal<this, void>(this);
}
