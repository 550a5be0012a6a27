/** The machines that kernels of ours may use, kept current by the feed. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../wire/api';
import type { Feed } from '../wire/feed';
import { Persistent } from '../wire/persistent';
import type { FeedMessage, Lease } from '../wire/protocol';

/** A machine that vanished is news for six hours; nothing can be done with it. */
const LOST_SHOWN_S = 6 * 3600;

export class LeaseBook {
  constructor(
    private readonly api: Api,
    feed: Feed
  ) {
    this.reading = new Persistent(
      () => this.refresh(),
      problem => this.say(problem)
    );
    feed.messages.connect(this.onMessage, this);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Why the leases could not be read, `null` when they could. It is tried again by itself. */
  get problem(): string | null {
    return this._problem;
  }

  /** Leases that are not released, newest first; lost ones while they are news. */
  get live(): readonly Lease[] {
    return this._live;
  }

  /** The live lease of this id; asks the server when none is known yet. */
  async find(id: string): Promise<Lease | undefined> {
    const known = (): Lease | undefined => this._live.find(lease => lease.id === id);
    if (!known()) {
      await this.refresh();
    }
    return known();
  }

  /** The lease that the notebook kernel of this id runs its cells on. */
  ofKernel(kernelId: string): Lease | undefined {
    return this._live.find(lease => lease.kernel_id === kernelId);
  }

  async refresh(): Promise<void> {
    this.set(await this.api.leases());
  }

  /** Stops the machine. The feed brings the new state too; reading it here makes the answer certain. */
  async release(id: string): Promise<void> {
    await this.api.release(id);
    await this.refresh();
  }

  private onMessage(_sender: Feed, message: FeedMessage): void {
    if (message.type === 'leases') {
      this.set(message.leases);
    } else if (message.type === 'hello') {
      this.reading.restart();
    }
  }

  private say(problem: string | null): void {
    if (problem !== this._problem) {
      this._problem = problem;
      this._changed.emit();
    }
  }

  private set(leases: readonly Lease[]): void {
    const recently = Date.now() / 1000 - LOST_SHOWN_S;
    this._live = leases
      .filter(lease => lease.state !== 'released')
      .filter(lease => lease.state !== 'lost' || (lease.released ?? lease.created) > recently)
      .sort((a, b) => b.created - a.created);
    this._changed.emit();
  }

  private readonly reading: Persistent;
  private _problem: string | null = null;
  private _live: Lease[] = [];
  private readonly _changed = new Signal<this, void>(this);
}
