/** What was changed here and the server has not told of yet: shown over what it tells meanwhile. */
import type { Json, Run, RunChange, RunEdit } from '../wire/protocol';

/** One request to change runs. */
export type EditToken = object;

interface Preview {
  value: Json;
  token: EditToken;
}

/**
 * A push that was on its way when somebody changed a run is older than the change: shown as it is, it would take the
 * change back for a moment, and rows would jump under the pointer.
 */
export class Previews {
  /** Shows these changes from now on. */
  add(edits: readonly RunEdit[]): EditToken {
    const token = {};
    for (const { run, change } of edits) {
      const ours = this.pending.get(run) ?? new Map<keyof RunChange, Preview>();
      for (const [key, value] of entriesOf(change)) {
        ours.set(key, { value, token });
      }
      this.pending.set(run, ours);
    }
    return token;
  }

  /** A run that the server tells of, as it is to be shown. What it has taken over is its own from now on. */
  told(run: Run): Run {
    const ours = this.pending.get(run.id) ?? new Map<keyof RunChange, Preview>();
    for (const [key, { value }] of ours) {
      if (JSON.stringify(run[key]) === JSON.stringify(value)) {
        ours.delete(key);
      }
    }
    if (ours.size === 0) {
      this.pending.delete(run.id);
    }
    return this.over(run);
  }

  /** A run with what was changed here. */
  over(run: Run): Run {
    const ours = this.pending.get(run.id);
    return ours ? { ...run, ...Object.fromEntries([...ours].map(([key, { value }]) => [key, value])) } : run;
  }

  /** Shows what the server tells, also where it is not this change. Whether anything of it was still shown. */
  drop(token: EditToken): boolean {
    let dropped = false;
    for (const [run, ours] of this.pending) {
      for (const [key, preview] of ours) {
        dropped = (preview.token === token && ours.delete(key)) || dropped;
      }
      if (ours.size === 0) {
        this.pending.delete(run);
      }
    }
    return dropped;
  }

  private readonly pending = new Map<string, Map<keyof RunChange, Preview>>();
}

const entriesOf = (change: RunChange): [keyof RunChange, Json][] =>
  Object.entries(change) as [keyof RunChange, Json][];
