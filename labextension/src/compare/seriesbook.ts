/** The windows of the charts that are on screen, kept current while they are. */
import { Signal, type ISignal } from '@lumino/signaling';

import type { Axes } from '../charts/axes';
import type { Api } from '../wire/api';
import { backoffMs } from '../wire/backoff';
import { describeError, mayPass } from '../wire/errors';
import { decodeWindow, type SeriesWindow } from '../wire/decode';
import type { Feed } from '../wire/feed';
import type { FeedMessage, Metric, SeriesRequest } from '../wire/protocol';
import type { Grouping } from './grouping';
import { Pace } from './pace';
import { metricKey, newEntry, pushKey, samePart, type Shown } from './seriesentry';
import { requestsOf } from './seriesrequest';

/** How long a zoom rests before finer data is asked for, in milliseconds. */
const ZOOM_REST_MS = 120;

export class SeriesBook {
  constructor(
    private readonly api: Api,
    private readonly feed: Feed,
    private readonly axes: Axes,
    private readonly grouping: Grouping,
    private _smoothing: number
  ) {
    feed.messages.connect(this.onMessage, this);
    axes.zoomChanged.connect(this.onZoom, this);
  }

  /** Emitted with a metric's key when its windows are others; `null` when all are. */
  get changed(): ISignal<this, string> {
    return this._changed;
  }

  windows(key: string): ReadonlyMap<string, SeriesWindow> {
    return this.shown.get(key)?.windows ?? new Map<string, SeriesWindow>();
  }

  /** Empty without smoothing. */
  smoothed(key: string): ReadonlyMap<string, SeriesWindow> {
    return this.shown.get(key)?.smoothed ?? new Map<string, SeriesWindow>();
  }

  /** Weight of the past, from 0 for none; what is drawn stays until what is asked for is there. */
  set smoothing(smoothing: number) {
    this._smoothing = smoothing;
    if (smoothing === 0) {
      for (const [key, entry] of this.shown) {
        entry.smoothed.clear();
        this._changed.emit(key);
      }
    }
    this.refreshSoon();
  }

  /** Emitted with a metric's key when it waits for an answer, or does not any more. */
  get waitingChanged(): ISignal<this, string> {
    return this._waitingChanged;
  }

  /** Whether newer windows are on their way. */
  waiting(key: string): boolean {
    return this.shown.get(key)?.waiting ?? false;
  }

  /** Why the metric could not be read, `null` when it could. */
  problem(key: string): string | null {
    return this.shown.get(key)?.problem ?? null;
  }

  /** A chart came on screen, or shows other runs or another width now. The same again is not asked for again. */
  show(metric: Metric, width: number): void {
    const key = metricKey(metric);
    const before = this.shown.get(key);
    if (before) {
      const asked = before.question === this.questionOf({ ...before, metric, width });
      if (asked && before.problem === null) {
        before.metric = metric;
        return;
      }
    }
    const kept = (windows?: ReadonlyMap<string, SeriesWindow>): Map<string, SeriesWindow> =>
      new Map([...(windows ?? [])].filter(([run]) => this.isOf(metric, run)));
    this.shown.set(key, newEntry(metric, width, kept(before?.windows), kept(before?.smoothed)));
    this.ask(key);
  }

  hide(key: string): void {
    if (this.shown.delete(key)) {
      this.scheduleWatch();
    }
  }

  /** Reads everything on screen anew. */
  refresh(): void {
    for (const key of this.shown.keys()) {
      this.wanted.add(key);
    }
    this.scheduleWatch();
  }

  /** Stops and resumes pushes: nobody looks at a hidden view. */
  set paused(paused: boolean) {
    this._paused = paused;
    if (paused) {
      this.feed.watch(this, []);
    } else {
      this.refresh();
    }
  }

  /** The axis is of another kind: every window is in the wrong unit. */
  clear(): void {
    this.shown.forEach(entry => {
      entry.windows.clear();
      entry.smoothed.clear();
    });
  }

  dispose(): void {
    this.disposed = true;
    window.clearTimeout(this.zoomTimer);
    this.pace.dispose();
    this.shown.clear();
    this.feed.watch(this, []);
    Signal.clearData(this);
  }

  /** Whether a window that goes by this run belongs into a chart of the metric. */
  private isOf(metric: Metric, run: string): boolean {
    return this.grouping.asked(metric).runs.includes(run);
  }

  private put({ windows, smoothed }: Shown, smoothing: number, fresh: readonly SeriesWindow[]): void {
    const into = smoothing > 0 ? smoothed : windows;
    // A group goes by the same run in every chart, also when the server's first one is another.
    fresh.forEach(window => {
      const run = window.group ? this.grouping.leadOf(window.group.runs[0] ?? window.run) : window.run;
      into.set(run, run === window.run ? window : { ...window, run });
    });
  }

  private requests(entry: Shown): SeriesRequest[] {
    const { axes, grouping, _smoothing: smoothing } = this;
    return requestsOf(entry, { axes, grouping, smoothing });
  }

  private questionOf(entry: Shown): string {
    return JSON.stringify(this.requests(entry));
  }

  private fetch(key: string): void {
    const entry = this.shown.get(key);
    if (!entry || entry.metric.runs.length === 0) {
      return;
    }
    const number = (entry.request = ++this.asked);
    entry.pushed.clear();
    const requests = this.requests(entry);
    entry.question = this.questionOf(entry);
    this.setWaiting(key, entry, true);
    const current = (): boolean => this.shown.get(key)?.request === number && !this.disposed;
    Promise.all(requests.map(request => this.api.windows(request))).then(
      answers => {
        if (current()) {
          entry.problem = null;
          entry.failures = 0;
          answers.forEach((windows, i) => {
            const smoothing = requests[i]?.smoothing ?? 0;
            const older = windows.filter(({ run }) => !entry.pushed.has(pushKey(smoothing, run)));
            this.put(entry, smoothing, older);
          });
          this._changed.emit(key);
          this.setWaiting(key, entry, false);
        }
      },
      (error: unknown) => {
        if (current()) {
          this.failed(key, entry, error);
          this.setWaiting(key, entry, false);
        }
      }
    );
  }

  private setWaiting(key: string, entry: Shown, waiting: boolean): void {
    if (waiting !== entry.waiting) {
      entry.waiting = waiting;
      this._waitingChanged.emit(key);
    }
  }

  /** It is tried again by itself, later and later, as long as nothing else asks for it. */
  private failed(key: string, entry: Shown, error: unknown): void {
    entry.problem = describeError(error);
    if (mayPass(error)) {
      const failed = entry.request;
      const again = (): void => {
        if (this.shown.get(key) === entry && entry.request === failed && !this._paused) {
          this.fetch(key);
        }
      };
      window.setTimeout(again, backoffMs(entry.failures, Math.random()));
      entry.failures += 1;
    }
    this._changed.emit(key);
  }

  private onMessage(_feed: Feed, message: FeedMessage): void {
    if (message.type === 'hello') {
      this.refresh();
    } else if (message.type === 'series') {
      const answered = this.feed.answered(message);
      if (answered?.owner === this) {
        this.onPushed(answered.request, message.windows.map(decodeWindow));
      }
    }
  }

  private onPushed(request: SeriesRequest, windows: SeriesWindow[]): void {
    const key = metricKey({ name: request.metric, source: request.source });
    const entry = this.shown.get(key);
    if (!entry) {
      return;
    }
    if (!this.requests(entry).some(wanted => samePart(request, wanted))) {
      if (this.zoomTimer === 0) {
        this.fetch(key); // it was on its way when another part was asked for
      }
      return; // else that is asked for when the zoom rests
    }
    const ours = windows.filter(({ run }) => this.isOf(entry.metric, run));
    if (ours.length > 0) {
      ours.forEach(({ run }) => entry.pushed.add(pushKey(request.smoothing, run)));
      this.put(entry, request.smoothing, ours);
      this.pace.want(key);
    }
  }

  private onZoom(): void {
    this.refreshSoon();
  }

  /** When a zoom or a slider has come to rest: of what is on screen, all that is asked for otherwise now. */
  private refreshSoon(): void {
    window.clearTimeout(this.zoomTimer);
    this.zoomTimer = window.setTimeout(() => {
      this.zoomTimer = 0;
      for (const [key, entry] of this.shown) {
        if (entry.question !== this.questionOf(entry)) {
          this.ask(key);
        }
      }
    }, ZOOM_REST_MS);
  }

  /** Watches first and reads then, so that no change falls between the two. */
  private ask(key: string): void {
    this.wanted.add(key);
    this.scheduleWatch();
  }

  private scheduleWatch(): void {
    if (!this.watchScheduled) {
      this.watchScheduled = true;
      queueMicrotask(() => {
        this.watchScheduled = false;
        const watched = this._paused || this.disposed ? [] : [...this.shown.values()];
        this.feed.watch(
          this,
          watched.filter(entry => entry.metric.runs.length > 0).flatMap(entry => this.requests(entry))
        );
        const keys = [...this.wanted];
        this.wanted.clear();
        keys.forEach(key => this.fetch(key));
      });
    }
  }

  private readonly shown = new Map<string, Shown>();
  /** When what was pushed is told: also many messages are few pictures. */
  private readonly pace = new Pace<string>(key => this._changed.emit(key));
  private readonly _changed = new Signal<this, string>(this);
  private readonly _waitingChanged = new Signal<this, string>(this);
  /** Keys of what is read when the watch has been sent. */
  private readonly wanted = new Set<string>();
  private asked = 0;
  private zoomTimer = 0;
  private watchScheduled = false;
  private _paused = false;
  private disposed = false;
}
