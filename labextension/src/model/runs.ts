/** The runs the panel knows, kept current by the feed. */
import { Signal, type ISignal } from '@lumino/signaling';

import { sharedNames } from '../text/runnames';
import type { Api } from '../wire/api';
import type { Feed } from '../wire/feed';
import { Persistent } from '../wire/persistent';
import type { FeedMessage, Run, RunEdit } from '../wire/protocol';
import { Previews, type EditToken } from './previews';

export class RunBook {
  /** @param limit how many runs to list, newest first; asked before each reading. */
  constructor(
    private readonly api: Api,
    feed: Feed,
    private readonly limit: () => number
  ) {
    feed.messages.connect(this.onMessage, this);
    feed.accepted.connect(this.onAccepted, this);
    this.reading = new Persistent(
      () => this.read(),
      problem => this.say(problem)
    );
  }

  /** Emitted with the ids of runs that are new, different or gone. */
  get changed(): ISignal<this, ReadonlySet<string>> {
    return this._changed;
  }

  /** Emitted when somebody has chosen another colour for a run. */
  get coloursChanged(): ISignal<this, void> {
    return this._coloursChanged;
  }

  /** Whether the list was read at least once; before that an empty list means nothing. */
  get loaded(): boolean {
    return this._loaded;
  }

  /** Newest first. The same array until something changes. */
  get list(): readonly Run[] {
    this.sorted ??= [...this.runs.values()].sort((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1));
    return this.sorted;
  }

  get(id: string): Run | undefined {
    return this.runs.get(id);
  }

  /** Names that more than one run has. */
  get sharedNames(): ReadonlySet<string> {
    this.shared ??= sharedNames(this.list);
    return this.shared;
  }

  /** Why the list could not be read, `null` when it could. It is tried again by itself. */
  get problem(): string | null {
    return this._problem;
  }

  /** Reads the list anew. */
  refresh(): void {
    this.reading.restart();
  }

  /** What is pushed while the answer is under way is newer than the answer, and wins. */
  private async read(): Promise<void> {
    const pushed = (this.pushedSince = new Set<string>());
    const answer = await this.api.runs(this.limit());
    if (this.pushedSince !== pushed) {
      return; // a later reading is under way
    }
    const next = new Map(answer.map(run => [run.id, this.previews.told(run)] as const));
    for (const id of pushed) {
      const run = this.runs.get(id);
      if (run) {
        next.set(id, run);
      } else {
        next.delete(id);
      }
    }
    const ids = new Set([...this.runs.keys(), ...next.keys()]);
    const colourOf = (runs: ReadonlyMap<string, Run>, id: string): number | null =>
      runs.get(id)?.colour ?? null;
    this.recoloured ||= [...ids].some(id => colourOf(this.runs, id) !== colourOf(next, id));
    this.runs = next;
    this._loaded = true;
    this.emit(ids);
  }

  /** Makes runs known that the list is too short for, such as those of a restored comparison. */
  async ensure(ids: readonly string[]): Promise<void> {
    const missing = ids.filter(id => !this.runs.has(id));
    const found = await Promise.allSettled(missing.map(id => this.api.run(id)));
    const fresh = found.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    fresh.forEach(run => this.put(run));
    if (fresh.length > 0) {
      this.emit(new Set(fresh.map(run => run.id)));
    }
  }

  private onMessage(_sender: Feed, message: FeedMessage): void {
    if (message.type === 'hello') {
      this.refresh();
    } else if (message.type === 'runs') {
      message.changed.forEach(run => this.put(run));
      message.removed.forEach(id => this.runs.delete(id));
      const ids = [...message.changed.map(run => run.id), ...message.removed];
      ids.forEach(id => this.pushedSince?.add(id));
      this.emit(new Set(ids));
    }
  }

  /** The first list is read while the socket is being opened; the feed's hello makes sure of it. */
  private onAccepted(): void {
    if (!this._loaded) {
      this.refresh();
    }
  }

  private say(problem: string | null): void {
    if (problem !== this._problem) {
      this._problem = problem;
      this.emit(new Set());
    }
  }

  /** Shows changes before the server tells of them; see {@link Previews}. */
  preview(edits: readonly RunEdit[]): EditToken {
    const known = edits.filter(({ run }) => this.runs.has(run));
    const token = this.previews.add(known);
    known.forEach(({ run }) => this.show(this.previews.over(this.runs.get(run) as Run)));
    this.emit(new Set(known.map(({ run }) => run)));
    return token;
  }

  /** The server has answered: it may have made something else of the changes, or nothing, and that counts then. */
  settle(token: EditToken): void {
    if (this.previews.drop(token)) {
      this.refresh();
    }
  }

  /** Takes a run off the list before the server has told that it is gone. */
  forget(id: string): void {
    this.runs.delete(id);
    this.emit(new Set([id]));
  }

  private put(run: Run): void {
    this.show(this.previews.told(run));
  }

  private show(run: Run): void {
    this.recoloured ||= (this.runs.get(run.id)?.colour ?? null) !== run.colour;
    this.runs.set(run.id, run);
  }

  private emit(ids: ReadonlySet<string>): void {
    this.sorted = this.shared = null;
    this._changed.emit(ids);
    if (this.recoloured) {
      this.recoloured = false;
      this._coloursChanged.emit();
    }
  }

  private readonly reading: Persistent;
  private readonly previews = new Previews();
  private _problem: string | null = null;
  private runs = new Map<string, Run>();
  private sorted: Run[] | null = null;
  private shared: ReadonlySet<string> | null = null;
  private pushedSince: Set<string> | null = null;
  private _loaded = false;
  private recoloured = false;
  private readonly _coloursChanged = new Signal<this, void>(this);
  private readonly _changed = new Signal<this, ReadonlySet<string>>(this);
}
