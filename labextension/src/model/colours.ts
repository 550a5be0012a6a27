/** Which colour a run has, the same in the sidebar and in every comparison, also after a reload. */
import type { IStateDB } from '@jupyterlab/statedb';
import { Signal, type ISignal } from '@lumino/signaling';

import { assignSlots, lineStyle, neighbourSlots, preferredSlot, type LineStyle } from './palette';

const KEY = 'trackside:colours';

/** How many choices are kept; older ones are forgotten. */
const MOST = 2000;

export class ColourBook {
  constructor(
    private readonly state: IStateDB | null,
    private readonly isDark: () => boolean,
    /** The style that somebody chose for a run, `null` for none. */
    private readonly chosen: (run: string) => number | null = () => null
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Reads what was chosen before. */
  async restore(): Promise<void> {
    const saved = await this.state?.fetch(KEY);
    if (Array.isArray(saved)) {
      for (const entry of saved as [string, number][]) {
        if (!this.slots.has(entry[0])) {
          this.slots.set(entry[0], entry[1]);
        }
      }
      this._changed.emit();
    }
  }

  /** Whether colours are those for a dark background. */
  get dark(): boolean {
    return this.isDark();
  }

  styleOf(run: string): LineStyle {
    return lineStyle(this.chosen(run) ?? this.given(run) ?? preferredSlot(run), this.isDark());
  }

  /**
   * Sees to it that no two neighbours of a list have one colour, before anybody compares them. Those that have one keep
   * it, and take it along into a comparison.
   *
   * @param runs newest first.
   */
  list(runs: readonly string[]): void {
    if (runs.every(run => this.given(run) !== undefined)) {
      return;
    }
    const known = (run: string): number | undefined => this.chosen(run) ?? this.given(run);
    const slots = neighbourSlots([...runs].reverse(), known);
    const news = runs.some(run => this.given(run) === undefined && slots.get(run) !== preferredSlot(run));
    slots.forEach((slot, run) => this.given(run) === undefined && this.listed.set(run, slot));
    if (news) {
      this._changed.emit();
    }
  }

  /** Sees to it that runs shown together look different. Earlier ones keep their colour. */
  distinguish(runs: readonly string[]): void {
    let news = false;
    const fixed = runs.flatMap(run => {
      const slot = this.chosen(run);
      return slot === null ? [] : [[run, slot] as const];
    });
    const known = new Map([...this.listed, ...this.slots, ...fixed]);
    assignSlots([...fixed.map(([run]) => run), ...runs], known).forEach((slot, run) => {
      if (this.chosen(run) !== null) {
        return;
      }
      news ||= this.slots.get(run) !== slot;
      this.slots.delete(run); // to the end: chosen last, forgotten last
      this.slots.set(run, slot);
    });
    if (news) {
      void this.state?.save(KEY, [...this.slots].slice(-MOST));
      this._changed.emit();
    }
  }

  /** Says that every colour may be another now: the theme has changed, or somebody has chosen one. */
  themeChanged(): void {
    this._changed.emit();
  }

  private given(run: string): number | undefined {
    return this.slots.get(run) ?? this.listed.get(run);
  }

  /** Of runs that were compared; kept. */
  private readonly slots = new Map<string, number>();
  /** Of runs in a list. Not kept: the list is the same after a reload. */
  private readonly listed = new Map<string, number>();
  private readonly _changed = new Signal<this, void>(this);
}
