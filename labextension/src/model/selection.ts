/** Which runs are ticked in the sidebar, in the order of ticking. */
import { Signal, type ISignal } from '@lumino/signaling';

export class Selection {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get ids(): readonly string[] {
    return [...this.chosen];
  }

  get size(): number {
    return this.chosen.size;
  }

  has(id: string): boolean {
    return this.chosen.has(id);
  }

  toggle(id: string): void {
    if (!this.chosen.delete(id)) {
      this.chosen.add(id);
    }
    this._changed.emit();
  }

  set(ids: Iterable<string>): void {
    this.chosen = new Set(ids);
    this._changed.emit();
  }

  private chosen = new Set<string>();
  private readonly _changed = new Signal<this, void>(this);
}
