/** Follows a log on a leased machine: asks for what is new, less often while nothing is. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../wire/api';
import { describeError } from '../wire/errors';
import type { LogName, LogPiece } from '../wire/protocol';

const LEAST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5000;

/** Characters that are kept; what came before is on the machine. */
export const KEPT = 256 * 1024;

/** Sequences by which a program colours a terminal. */
// eslint-disable-next-line no-control-regex -- these are control characters
const COLOURS = /\u001b\[[0-9;?]*[A-Za-z]/g;

export class AgentLog {
  constructor(
    private readonly api: Api,
    private readonly lease: string
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get name(): LogName {
    return this._name;
  }

  /** Shows the other log. */
  set name(name: LogName) {
    if (name !== this._name) {
      this._name = name;
      this.forget();
      this.restart();
    }
  }

  /** The end of the log. Untrusted. */
  get text(): string {
    return this._text;
  }

  /** Whether something stands before the text that is not shown. */
  get isCut(): boolean {
    return this._isCut;
  }

  /** Whether the machine has answered at all. */
  get isRead(): boolean {
    return this._isRead;
  }

  get isMissing(): boolean {
    return this._isMissing;
  }

  /** Why the log cannot be read just now; it is tried again by itself. */
  get problem(): string | null {
    return this._problem;
  }

  /** Follows from now on. May be called again. */
  start(): void {
    if (!this.following) {
      this.following = true;
      this.restart();
    }
  }

  stop(): void {
    this.following = false;
    this.restart();
  }

  private restart(): void {
    window.clearTimeout(this.timer);
    this.round += 1;
    this.pause = LEAST_PAUSE_MS;
    if (this.following) {
      void this.ask(this.round);
    }
  }

  private async ask(round: number): Promise<void> {
    try {
      const piece = await this.api.log(this.lease, this._name, this.end);
      if (round === this.round) {
        this.take(piece);
      }
    } catch (error) {
      if (round === this.round) {
        this._problem = describeError(error);
        this.wait(false);
      }
    }
    if (round === this.round) {
      this._changed.emit();
      this.timer = window.setTimeout(() => void this.ask(round), this.pause);
    }
  }

  private take(piece: LogPiece): void {
    this._problem = null;
    this._isRead = true;
    this._isMissing = piece.missing;
    this.wait(piece.text !== '');
    if (piece.missing) {
      return; // what was read before it went stays
    }
    if (this.end !== null && piece.start !== this.end) {
      this._text = ''; // begun anew, or more was written than is sent at once
    }
    const text = this._text + piece.text.replace(COLOURS, '');
    this._isCut = text.length > KEPT || (this._text === '' ? piece.start > 0 : this._isCut);
    this._text = text.slice(-KEPT);
    this.end = piece.end;
  }

  private wait(isNew: boolean): void {
    this.pause = isNew ? LEAST_PAUSE_MS : Math.min(this.pause * 1.5, LONGEST_PAUSE_MS);
  }

  private forget(): void {
    this._text = '';
    this._isCut = this._isRead = this._isMissing = false;
    this._problem = null;
    this.end = null;
    this._changed.emit();
  }

  private _name: LogName = 'agent';
  private _text = '';
  private _isCut = false;
  private _isRead = false;
  private _isMissing = false;
  private _problem: string | null = null;
  private end: number | null = null;
  private following = false;
  /** Counts what was begun: an answer to an earlier question counts for nothing. */
  private round = 0;
  private pause = LEAST_PAUSE_MS;
  private timer = 0;
  private readonly _changed = new Signal<this, void>(this);
}
