/** What is watched on the feed, by whom, and which pushed series answers which request. */
import type { FeedMessage, SeriesRequest } from './protocol';

export type SeriesMessage = Extract<FeedMessage, { type: 'series' }>;

/** A request, and who made it. */
export interface Watched {
  owner: object;
  request: SeriesRequest;
}

/** A request as it was sent: whoever made it may be gone, and would otherwise stay with all that it shows. */
interface Sent {
  owner: WeakRef<object>;
  request: SeriesRequest;
}

/** Of so many watches pushes may still be on their way; while nothing is pushed, nothing else forgets them. */
const KEPT = 100;

export class Watches {
  /** Replaces what `owner` wants. Whether anything is different now. */
  set(owner: object, series: readonly SeriesRequest[]): boolean {
    if (series.length === 0) {
      return this.wanted.delete(owner);
    }
    this.wanted.set(owner, series);
    return true;
  }

  /** Whether `owner` shows how busy machines are. Whether anything is different now. */
  setPulses(owner: object, wanted: boolean): boolean {
    const before = this.pulses.size > 0;
    if (wanted) {
      this.pulses.add(owner);
    } else {
      this.pulses.delete(owner);
    }
    return before !== this.pulses.size > 0;
  }

  /** The message that tells the server all of it, under a new number. */
  message(): { type: 'watch'; id: number; series: SeriesRequest[]; pulses: boolean } {
    const watched = [...this.wanted].flatMap(([owner, series]) =>
      series.map(request => ({ owner: new WeakRef(owner), request }))
    );
    this.number += 1;
    this.sent.set(this.number, watched);
    this.sent.delete(this.number - KEPT);
    return {
      type: 'watch',
      id: this.number,
      series: watched.map(({ request }) => request),
      pulses: this.pulses.size > 0
    };
  }

  /**
   * The request that a pushed series answers; `null` when it is none of ours.
   *
   * What was on its way when the watch was replaced still answers the one before: to drop it would lose a change.
   */
  answered(message: SeriesMessage): Watched | null {
    for (const number of this.sent.keys()) {
      if (number < message.watch) {
        this.sent.delete(number); // the server never goes back to an earlier watch
      }
    }
    const sent = this.sent.get(message.watch)?.[message.index];
    const owner = sent?.owner.deref();
    return sent && owner ? { owner, request: sent.request } : null;
  }

  private readonly wanted = new Map<object, readonly SeriesRequest[]>();
  private readonly sent = new Map<number, readonly Sent[]>();
  private readonly pulses = new Set<object>();
  private number = 0;
}
