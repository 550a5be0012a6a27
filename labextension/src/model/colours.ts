/**
 * Which colour a run has, the same in the sidebar and in every comparison, also after a reload.
 *
 * It is the one that somebody chose; else the one of the list of all runs, which `%runs` and `%compare` give it too; and
 * where two runs of a comparison have the same, the later one gets another, which it keeps everywhere in the panel.
 */
import type { IStateDB } from '@jupyterlab/statedb';
import { Signal, type ISignal } from '@lumino/signaling';

import { assignSlots, lineStyle, listSlots, preferredSlot, type LineStyle } from './palette';

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
    return lineStyle(this.slotOf(run), this.isDark());
  }

  /** The number of the style that a run has in this panel. */
  slotOf(run: string): number {
    return this.chosen(run) ?? this.slots.get(run) ?? this.listed?.get(run) ?? preferredSlot(run);
  }

  /**
   * Takes the colours that runs have by themselves from the list of all, so that they are those of `%runs` and
   * `%compare` too.
   *
   * @param runs newest first.
   */
  list(runs: readonly string[]): void {
    const known = runs.map(run => [run, this.chosen(run)] as const).reverse();
    const same = ([run, chosen]: (typeof known)[number], at: number): boolean =>
      run === this.known[at]?.[0] && chosen === this.known[at]?.[1];
    if (this.listed !== null && known.length === this.known.length && known.every(same)) {
      return; // runs that train change several times a second, and thousands may be listed
    }
    const before = new Map(runs.map(run => [run, this.slotOf(run)] as const));
    this.known = known;
    this.listed = listSlots(known);
    this.together.forEach(shown => this.tellApart(shown));
    if (runs.some(run => this.slotOf(run) !== before.get(run))) {
      this._changed.emit();
    }
  }

  /**
   * Sees to it that runs shown together look different, until they are forgotten. Earlier ones keep their colour.
   *
   * @param where where they are shown; what was shown there before is forgotten.
   */
  distinguish(where: object, runs: readonly string[]): void {
    this.together.set(where, runs);
    if (this.tellApart(runs)) {
      this._changed.emit();
    }
  }

  /** Nothing is shown there any more. What runs look like stays. */
  forget(where: object): void {
    this.together.delete(where);
  }

  /** Whether a run looks otherwise now. */
  private tellApart(runs: readonly string[]): boolean {
    if (this.listed === null) {
      return false; // of a layout that was restored: what runs look like by themselves is not known yet
    }
    const fixed = runs.filter(run => this.chosen(run) !== null);
    const slots = assignSlots([...fixed, ...runs], { get: run => this.slotOf(run) });
    const other = [...slots].filter(([run, slot]) => this.chosen(run) === null && slot !== this.slotOf(run));
    for (const [run, slot] of other) {
      this.slots.delete(run); // to the end: given last, forgotten last
      this.slots.set(run, slot);
    }
    if (other.length > 0) {
      void this.state?.save(KEY, [...this.slots].slice(-MOST));
    }
    return other.length > 0;
  }

  /** Says that every colour may be another now: the theme has changed, or somebody has chosen one. */
  themeChanged(): void {
    this._changed.emit();
  }

  /** Of runs that had to look otherwise in a comparison than by themselves; kept. */
  private readonly slots = new Map<string, number>();
  /** Of runs in the list of all, `null` until that is known. Not kept: the list is the same after a reload. */
  private listed: ReadonlyMap<string, number> | null = null;
  /** Runs that are shown together, by where. */
  private readonly together = new Map<object, readonly string[]>();
  /** What `listed` was made of. */
  private known: readonly (readonly [run: string, chosen: number | null])[] = [];
  private readonly _changed = new Signal<this, void>(this);
}
