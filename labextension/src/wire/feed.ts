/** The one WebSocket over which the server pushes what happened. */
import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { API_PATH, type Api } from './api';
import { backoffMs, STEADY_MS } from './backoff';
import { ApiError, describeError } from './errors';
import { API_VERSION, type FeedMessage, type Info, type SeriesRequest } from './protocol';
import { Watches, type SeriesMessage, type Watched } from './watches';

/**
 * - `idle`: nobody needs the feed, or the page is hidden
 * - `open`: messages flow
 * - `waiting`: the connection is being made, or was lost and is made again by itself
 * - `refused`: this server cannot serve this panel; `problem` says why, `retry()` looks again
 */
export type FeedState = 'idle' | 'waiting' | 'open' | 'refused';

/** A hidden page keeps its connection this long, so that a glance at another tab costs nothing. */
const HIDDEN_GRACE_MS = 15_000;

export class Feed {
  constructor(private readonly api: Api) {
    document.addEventListener('visibilitychange', () => this.onVisibility());
  }

  get state(): FeedState {
    return this._state;
  }

  /** What keeps the feed from being open, as a sentence; `null` when nothing does. */
  get problem(): string | null {
    return this._problem;
  }

  get stateChanged(): ISignal<this, FeedState> {
    return this._stateChanged;
  }

  /** What the server last said of itself; `null` before the first answer. */
  get info(): Info | null {
    return this._info;
  }

  /** Emitted when the server turned out to be one of ours; the socket is opened next. */
  get accepted(): ISignal<this, void> {
    return this._accepted;
  }

  get messages(): ISignal<this, FeedMessage> {
    return this._messages;
  }

  /** Keeps the feed open until what is returned is disposed. */
  hold(): IDisposable {
    this.holders += 1;
    this.update();
    return new DisposableDelegate(() => {
      this.holders -= 1;
      this.update();
    });
  }

  /** Replaces what `owner` wants pushed; an empty list for nothing. */
  watch(owner: object, series: SeriesRequest[]): void {
    if (this.watches.set(owner, series)) {
      this.sendWatch();
    }
  }

  /** Has the server measure how busy machines are, and push it, while any owner wants that. */
  watchPulses(owner: object, wanted: boolean): void {
    if (this.watches.setPulses(owner, wanted)) {
      this.sendWatch();
    }
  }

  /** Which request a pushed series answers, and whose it is; `null` when nobody wants it any more. */
  answered(message: SeriesMessage): Watched | null {
    return this.watches.answered(message);
  }

  /** Looks again at once, also at a server that was refused. */
  retry(): void {
    this.refused = false;
    this.attempt = 0;
    this.disconnect();
    this.update();
  }

  private get wanted(): boolean {
    return this.holders > 0 && !this.pageHidden && !this.refused;
  }

  private update(): void {
    if (this.wanted && !this.socket && !this.timer && !this.connecting) {
      void this.connect();
    } else if (!this.wanted) {
      this.disconnect();
      this.setState(this.refused ? 'refused' : 'idle', this._problem);
    }
  }

  private onVisibility(): void {
    clearTimeout(this.hideTimer);
    if (document.visibilityState === 'hidden') {
      this.hideTimer = window.setTimeout(() => {
        this.pageHidden = true;
        this.update();
      }, HIDDEN_GRACE_MS);
    } else {
      this.pageHidden = false;
      this.attempt = 0;
      this.update();
    }
  }

  private async connect(): Promise<void> {
    this.connecting = true;
    this.setState('waiting', this._problem);
    try {
      const info = await this.api.info();
      this._info = info;
      if (info.api !== API_VERSION) {
        this.refuse(
          `This page speaks version ${API_VERSION} of Trackside's interface, the server version ${info.api}. ` +
            'Update the older one with pip install -U trackside, restart the server and reload the page.'
        );
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        this.refuse(
          "Trackside's server extension does not run here. Type: jupyter server extension enable jupyter_ext, " +
            'then restart the server.'
        );
      } else if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        this.refuse('You may not see runs on this server: it refused the request.');
      } else {
        this.connecting = false;
        this.again(describeError(error));
        return;
      }
    }
    this.connecting = false;
    if (this.wanted) {
      this._accepted.emit();
      this.openSocket();
    } else {
      this.update();
    }
  }

  private openSocket(): void {
    const settings = this.api.settings;
    const socket = new settings.WebSocket(feedUrl(settings));
    this.socket = socket;
    socket.onmessage = event => this.onMessage(JSON.parse(String(event.data)) as FeedMessage);
    socket.onclose = () => {
      if (this.socket === socket) {
        this.socket = null;
        this.again('The connection to the server was lost; trying again.');
      }
    };
  }

  private onMessage(message: FeedMessage): void {
    if (message.type === 'hello') {
      this.openedAt = performance.now();
      this.setState('open', null);
      this.sendWatch();
    }
    this._messages.emit(message);
  }

  private sendWatch(): void {
    if (this._state === 'open' && this.socket) {
      this.socket.send(JSON.stringify(this.watches.message()));
    }
  }

  private again(problem: string): void {
    this.setState('waiting', problem);
    if (this.openedAt !== null && performance.now() - this.openedAt > STEADY_MS) {
      this.attempt = 0;
    }
    this.openedAt = null;
    const wait = backoffMs(this.attempt, Math.random());
    this.attempt += 1;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.update();
    }, wait);
  }

  private refuse(problem: string): void {
    this.refused = true;
    this.setState('refused', problem);
  }

  private disconnect(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private setState(state: FeedState, problem: string | null): void {
    if (state !== this._state || problem !== this._problem) {
      this._state = state;
      this._problem = problem;
      this._stateChanged.emit(state);
    }
  }

  private readonly watches = new Watches();
  private readonly _stateChanged = new Signal<this, FeedState>(this);
  private readonly _accepted = new Signal<this, void>(this);
  private readonly _messages = new Signal<this, FeedMessage>(this);
  private socket: WebSocket | null = null;
  private _state: FeedState = 'idle';
  private _info: Info | null = null;
  private _problem: string | null = null;
  private holders = 0;
  private attempt = 0;
  /** When the socket said hello, in milliseconds; `null` while it is not open. */
  private openedAt: number | null = null;
  private timer = 0;
  private hideTimer = 0;
  private connecting = false;
  private refused = false;
  private pageHidden = false;
}

function feedUrl(settings: ServerConnection.ISettings): string {
  const url = URLExt.join(settings.wsUrl, API_PATH, 'feed');
  return settings.appendToken && settings.token ? `${url}?token=${encodeURIComponent(settings.token)}` : url;
}
