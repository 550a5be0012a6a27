/** The run that somebody points at, anywhere in the panel: its row, its lines and its columns come forward together. */
import { Signal, type ISignal } from '@lumino/signaling';

export class Pointing {
  get run(): string | null {
    return this._run;
  }

  get changed(): ISignal<this, string | null> {
    return this._changed;
  }

  at(run: string | null): void {
    if (run !== this._run) {
      this._run = run;
      this._changed.emit(run);
    }
  }

  private _run: string | null = null;
  private readonly _changed = new Signal<this, string | null>(this);
}
