/** The WebSocket by which outputs come back to a page that was not there. */
import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';

import { API_PATH } from './api';
import { backoffMs, STEADY_MS } from './backoff';
import type { JsonObject } from './protocol';

/** A cell that the notebook, as it was saved, cannot have; said again when something about it changed. */
export interface CellMessage {
  type: 'cell';
  /** The request's `msg_id`. */
  key: string;
  cell_id: string;
  /** Of the front-end that ran it. */
  session: string | null;
  /** Whether the page of that session is open. */
  open: boolean;
  running: boolean;
  execution_count: number | null;
}

/** What came of a cell that was asked for: types and contents of Jupyter's messages. */
export interface OutputMessage {
  type: 'output';
  key: string;
  /** Where to go on after it; `null` when more follows that belongs to it. */
  position: number | null;
  messages: [string, JsonObject][];
}

/** From here on all that concerns the page is told from the beginning. */
export interface FollowingMessage {
  type: 'following';
  number: number;
}

export type ReplayMessage =
  CellMessage | OutputMessage | FollowingMessage | { type: 'error'; message: string };

/** Which notebook a page shows; `saved` in seconds since the epoch, 0 when it never was. */
export interface Follow {
  kernel: string | null;
  path: string;
  saved: number;
}

/** Connects when it is asked to, and again by itself when the connection breaks, until it is closed. */
export class ReplaySocket {
  /** @param follow asked at each connection what this page shows. */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly follow: () => Follow
  ) {}

  get messages(): ISignal<this, ReplayMessage> {
    return this._messages;
  }

  /** Emitted when the server has heard what the page shows: all that concerns it is told from the beginning. */
  get began(): ISignal<this, void> {
    return this._began;
  }

  /** Says anew what the page shows; what is known of its cells is told again. */
  open(): void {
    if (this.closed) {
      return;
    }
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.number += 1;
      this.heard = false;
      this.send({ type: 'follow', ...this.follow(), number: this.number });
    } else if (this.socket === null) {
      this.connect();
    }
  }

  /** Asks for what a cell shows, after a position; `null` for all of it. */
  want(key: string, position: number | null): void {
    this.send({ type: 'want', key, position });
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
  }

  private connect(): void {
    const socket = new this.settings.WebSocket(replayUrl(this.settings));
    this.socket = socket;
    let openedAt = Infinity;
    socket.onopen = () => {
      openedAt = performance.now();
      this.open();
    };
    socket.onmessage = event => this.take(JSON.parse(String(event.data)) as ReplayMessage);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.socket = null;
        if (performance.now() - openedAt > STEADY_MS) {
          this.attempt = 0;
        }
        this.timer = setTimeout(() => this.open(), backoffMs(this.attempt, Math.random()));
        this.attempt += 1;
      }
    };
  }

  /** What was on its way when the page said anew what it shows counts for nothing: it is told again. */
  private take(message: ReplayMessage): void {
    if (message.type === 'following') {
      this.heard = message.number === this.number;
      if (this.heard) {
        this._began.emit();
      }
    } else if (this.heard) {
      this._messages.emit(message);
    }
  }

  private send(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  private readonly _began = new Signal<this, void>(this);
  private readonly _messages = new Signal<this, ReplayMessage>(this);
  private socket: WebSocket | null = null;
  private closed = false;
  /** Counts what the page said that it shows; whether the server has heard the last of it. */
  private number = 0;
  private heard = false;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
}

function replayUrl(settings: ServerConnection.ISettings): string {
  const url = URLExt.join(settings.wsUrl, API_PATH, 'replay');
  return settings.appendToken && settings.token ? `${url}?token=${encodeURIComponent(settings.token)}` : url;
}
