/** How busy the leased machines are; measured and pushed only while somebody looks. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Feed } from '../wire/feed';
import type { FeedMessage, Sample } from '../wire/protocol';

/** Three minutes, a sample every two seconds. */
const KEPT = 90;

export class PulseBook {
  constructor(private readonly feed: Feed) {
    feed.messages.connect(this.onMessage, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Has the machines measured until what is returned is disposed. */
  look(): IDisposable {
    const owner = {};
    this.feed.watchPulses(owner, true);
    return new DisposableDelegate(() => this.feed.watchPulses(owner, false));
  }

  /** The last samples of a lease's machine, oldest first. */
  of(lease: string): readonly Sample[] {
    return this.samples.get(lease) ?? [];
  }

  private onMessage(_sender: Feed, message: FeedMessage): void {
    if (message.type !== 'pulses') {
      return;
    }
    // The message names every live lease: what it does not name is over.
    this.samples = new Map(message.pulses.map(({ lease, samples }) => [lease, this.joined(lease, samples)]));
    this._changed.emit();
  }

  /** After a lost connection the server begins again with what is known already. */
  private joined(lease: string, samples: readonly Sample[]): readonly Sample[] {
    const before = this.of(lease);
    const last = before.at(-1)?.time ?? -Infinity;
    return [...before, ...samples.filter(sample => sample.time > last)].slice(-KEPT);
  }

  private samples: ReadonlyMap<string, readonly Sample[]> = new Map();
  private readonly _changed = new Signal<this, void>(this);
}
