/** What machines can be had: asked on request only, and shown as the targets answer. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../wire/api';
import { describeError } from '../wire/errors';
import type { Offer, Offers } from '../wire/protocol';

export class OfferSearch {
  /** @param spec as `%gpu_provision` takes it; `null` for whatever there is. */
  constructor(
    private readonly api: Api,
    private readonly spec: string | null = null
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether some target may still answer. */
  get asking(): boolean {
    return this._asking;
  }

  /** What is known so far; `null` before anything is. */
  get answer(): Offers | null {
    return this._answer;
  }

  /** Why nothing more will be known, as a sentence. */
  get problem(): string | null {
    return this._problem;
  }

  /** The offer of this device, such as `a100-80gb`, at this target. */
  find(target: string, device: string): Offer | undefined {
    return this._answer?.offers.find(offer => offer.target === target && offer.device === device);
  }

  /** Asks all targets; what was known before stays until the first of them answers. */
  async look(): Promise<void> {
    if (this._asking) {
      return;
    }
    this.stopped = false;
    this.set({ asking: true, problem: null });
    try {
      let answer = await this.api.offers(this.spec);
      while (!answer.over && !this.stopped) {
        this.set({ answer });
        answer = await this.api.offers(this.spec, answer.number);
      }
      this.set({ asking: false, answer });
    } catch (error) {
      this.set({ asking: false, problem: describeError(error) });
    }
  }

  /** Nobody waits for the rest any more. */
  stop(): void {
    this.stopped = true;
  }

  private set(news: { asking?: boolean; answer?: Offers; problem?: string | null }): void {
    this._asking = news.asking ?? this._asking;
    this._answer = news.answer ?? this._answer;
    this._problem = news.problem !== undefined ? news.problem : this._problem;
    this._changed.emit();
  }

  private stopped = false;
  private _asking = false;
  private _answer: Offers | null = null;
  private _problem: string | null = null;
  private readonly _changed = new Signal<this, void>(this);
}
