/** Something that the server knows of each run, kept current while somebody looks. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { RunBook } from '../model/runs';
import { Persistent } from '../wire/persistent';

/** Least rest between two readings, in milliseconds: a run that trains changes several times a second. */
const REST_MS = 1000;

export class ByRun<T> {
  /** @param read what the server says of these runs; runs that it does not know may be missing. */
  constructor(
    private readonly runs: RunBook,
    private readonly read: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>
  ) {
    runs.changed.connect(this.onRuns, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Why it could not be read, `null` when it could. It is tried again by itself. */
  get problem(): string | null {
    return this._problem;
  }

  /** `undefined` until it was read. */
  get(id: string): T | undefined {
    return this.known.get(id);
  }

  /** These runs are looked at now; an empty list for none. */
  want(ids: readonly string[]): void {
    this.wanted = new Set(ids);
    ids.filter(id => !this.known.has(id)).forEach(id => this.stale.add(id));
    this.schedule();
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    this.reading.stop();
    this.runs.changed.disconnect(this.onRuns, this);
    Signal.clearData(this);
  }

  private onRuns(_sender: RunBook, ids: ReadonlySet<string>): void {
    ids.forEach(id => this.known.has(id) && this.stale.add(id));
    this.schedule();
  }

  private get due(): string[] {
    return [...this.stale].filter(id => this.wanted.has(id));
  }

  private schedule(): void {
    if (this.timer === 0 && this.due.length > 0) {
      const rest = Math.max(0, this.lastRead + REST_MS - performance.now());
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this.reading.restart();
      }, rest);
    }
  }

  private async readDue(): Promise<void> {
    const ids = this.due;
    if (ids.length === 0) {
      return;
    }
    this.lastRead = performance.now();
    ids.forEach(id => this.stale.delete(id));
    try {
      const found = await this.read(ids);
      ids.forEach(id => {
        const value = found.get(id);
        if (value !== undefined) {
          this.known.set(id, value);
        }
      });
      this._changed.emit();
    } catch (error) {
      ids.forEach(id => this.stale.add(id));
      throw error;
    }
    this.schedule();
  }

  private say(problem: string | null): void {
    if (problem !== this._problem) {
      this._problem = problem;
      this._changed.emit();
    }
  }

  private readonly reading = new Persistent(
    () => this.readDue(),
    problem => this.say(problem)
  );
  private readonly known = new Map<string, T>();
  private readonly stale = new Set<string>();
  private wanted: ReadonlySet<string> = new Set();
  private _problem: string | null = null;
  private lastRead = -REST_MS;
  private timer = 0;
  private readonly _changed = new Signal<this, void>(this);
}

/** The entries of a list, run by run; runs without one have an empty list. */
export function listsByRun<E extends { run: string }>(
  ids: readonly string[],
  entries: readonly E[]
): Map<string, E[]> {
  const lists = new Map<string, E[]>(ids.map(id => [id, []]));
  entries.forEach(entry => lists.get(entry.run)?.push(entry));
  return lists;
}
