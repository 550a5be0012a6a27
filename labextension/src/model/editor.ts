/** Changing runs: shown at once, written by the server, taken back when it refuses. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../wire/api';
import type { Feed } from '../wire/feed';
import type { Run, RunChange } from '../wire/protocol';
import type { RunBook } from './runs';

/** Edits in one request; the server takes no more. */
const AT_ONCE = 1000;

/** After so many milliseconds the feed has told of a change that was made; it tells within 120 ms of an indexed one. */
const TOLD_MS = 3000;

/** A change that was not made, or only in part: a sentence for people. */
export class EditRefused extends Error {}

export class RunEditor {
  constructor(
    private readonly api: Api,
    private readonly feed: Feed,
    private readonly runs: RunBook
  ) {
    feed.stateChanged.connect(() => this._changed.emit());
  }

  /** Whether this user may change anything here, as far as the server has said. */
  get allowed(): boolean {
    return this.feed.info?.read_only === false;
  }

  /** Emitted when `allowed` may be another. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /**
   * Changes runs; raises {@link EditRefused} when some could not be changed.
   *
   * @param changeOf what changes of each; `null` for nothing.
   */
  async edit(ids: readonly string[], changeOf: (run: Run) => RunChange | null): Promise<void> {
    const edits = ids.flatMap(id => {
      const run = this.runs.get(id);
      const change = run ? changeOf(run) : null;
      return change ? [{ run: id, change }] : [];
    });
    const token = this.runs.preview(edits);
    try {
      for (let start = 0; start < edits.length; start += AT_ONCE) {
        const problems = await this.api.edit(edits.slice(start, start + AT_ONCE));
        if (problems.length > 0) {
          throw new EditRefused(problems[0]?.message);
        }
      }
    } catch (error) {
      this.runs.settle(token); // what was shown too early is taken back
      throw error;
    }
    window.setTimeout(() => this.runs.settle(token), TOLD_MS);
  }

  /**
   * Deletes runs: those that are in the trash now, and why the first of the others is not; `null` when all are.
   * Raises when none of them can be deleted.
   */
  async delete(ids: readonly string[]): Promise<{ gone: string[]; refusal: unknown }> {
    const settled = await Promise.allSettled(ids.map(id => this.api.delete(id).then(() => id)));
    const gone = settled.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []));
    gone.forEach(id => this.runs.forget(id));
    const refused = settled.find((one): one is PromiseRejectedResult => one.status === 'rejected');
    if (refused && gone.length === 0) {
      throw refused.reason;
    }
    return { gone, refusal: refused ? refused.reason : null };
  }

  /** Brings deleted runs back. */
  async restore(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map(id => this.api.restore(id)));
    this.runs.refresh();
  }

  private readonly _changed = new Signal<this, void>(this);
}
