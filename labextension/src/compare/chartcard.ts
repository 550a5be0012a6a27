/** One metric of a comparison: a heading, and a chart while it is on screen. */
import { showErrorMessage } from '@jupyterlab/apputils';
import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';

import type { DrawnLine, Frame } from '../charts/chart';
import { loadExtent } from '../charts/geometry';
import type { SharedAxis } from '../charts/sharedaxis';
import { menuButton, type MenuAction } from '../menu';
import { csvOf } from '../text/csv';
import type { Trackside } from '../trackside';
import type { SeriesWindow } from '../wire/decode';
import { describeError } from '../wire/errors';
import type { Metric, RunEvent } from '../wire/protocol';
import type { ByRun } from './byrun';
import { chartPicture, copyPicture, saveFile } from './chartpicture';
import { ChartPlot, type PlacedEvent } from './chartplot';
import type { CompareModel } from './comparemodel';
import type { CompareState } from './comparestate';
import { eventText, isMarked, placeOf } from './events';
import { showFullScreen } from './fullscreen';
import type { Grouping } from './grouping';
import { onResize } from './onresize';
import type { SeriesBook } from './seriesbook';
import { metricKey } from './seriesentry';

export interface ChartCardOptions {
  trackside: Trackside;
  model: CompareModel;
  axis: SharedAxis;
  grouping: Grouping;
  events: ByRun<RunEvent[]>;
  series: SeriesBook;
  metric: Metric;
}

/**
 * What tests (and people in the console) may ask a chart's node (`[data-metric]`): its `trackside` property answers
 * from the drawing library's own data.
 */
export interface ChartProbe {
  drawn: () => (DrawnLine & { name: string })[];
  view: () => { start: number; end: number };
  /** Where events are marked. */
  marked: () => number[];
  frame: () => Frame | null;
  /** As it looks now, in device pixels. */
  picture: () => HTMLCanvasElement | null;
  /** Pixels from the plot's left edge to x. */
  leftOf: (x: number) => number | null;
}

export class ChartCard extends Widget {
  constructor(private readonly options: ChartCardOptions) {
    super();
    const { trackside, model, axis, grouping, series, metric } = options;
    this.addClass('jp-trackside-chart');
    this._metric = metric;
    this.node.dataset['metric'] = metric.name;
    this.node.dataset['source'] = metric.source;
    this.node.setAttribute('role', 'figure');
    this.note.className = 'jp-trackside-chartNote';
    this.note.setAttribute('role', 'status');
    this.plot = new ChartPlot({
      trackside,
      model,
      axis,
      grouping,
      atLeast: loadExtent(metric),
      windows: () => this.windows(),
      smoothed: () => series.smoothed(this.key),
      events: () => this.events(),
      onDrawn: lines => this.onDrawn(lines)
    });
    this.plot.node.append(this.note);
    this.node.append(this.heading(), this.plot.node);
    Object.defineProperty(this.node, 'trackside', { value: this.probe() });
    series.changed.connect(this.onSeries, this);
    options.events.changed.connect(this.onEvents, this);
    model.changed.connect(this.onModel, this);
    series.waitingChanged.connect(this.onSeriesWaiting, this);
    this.resizing = onResize(this.plot.node, () => this.resized());
  }

  /** Other runs are compared, or a run has the metric that did not. */
  set metric(metric: Metric) {
    const gone = this._metric.runs.filter(run => !metric.runs.includes(run));
    this._metric = metric;
    gone.forEach(run => this.plot.removeLine(run));
    if (this.inView) {
      this.options.series.show(metric, this.plot.dataWidth);
    }
    this.describe();
  }

  /** Starts and stops drawing. What is shown full screen goes on. */
  setInView(inView: boolean): void {
    this.seen = inView;
    if (inView === this.inView || this.fullScreen) {
      return;
    }
    this.inView = inView;
    if (inView) {
      this.options.series.show(this._metric, this.plot.dataWidth);
    } else {
      this.options.series.hide(this.key);
      this.node.setAttribute('aria-busy', 'false');
      this.dropChart();
    }
  }

  /** Makes the chart anew: its axes are others. */
  rebuild(): void {
    this.dropChart();
    this.draw();
  }

  override dispose(): void {
    this.fullScreen?.close();
    this.fullScreen = null;
    this.resizing.dispose();
    this.setInView(false);
    this.plot.dispose();
    this.options.events.changed.disconnect(this.onEvents, this);
    this.options.model.changed.disconnect(this.onModel, this);
    this.options.series.changed.disconnect(this.onSeries, this);
    this.options.series.waitingChanged.disconnect(this.onSeriesWaiting, this);
    super.dispose();
  }

  private get key(): string {
    return metricKey(this._metric);
  }

  private onSeries(_sender: SeriesBook, key: string): void {
    if (key === this.key) {
      this.draw();
    }
  }

  private onSeriesWaiting(series: SeriesBook, key: string): void {
    if (key === this.key) {
      this.node.setAttribute('aria-busy', String(series.waiting(key)));
    }
  }

  private onEvents(): void {
    this.plot.markEvents();
  }

  private onModel(model: CompareModel, before: CompareState): void {
    if (model.state.baseline !== before.baseline) {
      this.draw();
    }
  }

  /** An inferred metric counts its own steps: on these the others' events have no place. */
  private events(): PlacedEvent[] {
    const { axis, events, model, trackside } = this.options;
    if (this._metric.source === 'inferred' && axis.kind === 'step') {
      return [];
    }
    return model.state.runs.flatMap(id => {
      const run = trackside.runs.get(id);
      return (run ? (events.get(id) ?? []) : []).filter(isMarked).flatMap(event => {
        const x = run ? placeOf(event, run, axis.kind) : null;
        return x === null ? [] : [{ run: id, x, text: eventText(event) }];
      });
    });
  }

  private draw(): void {
    if (this.inView) {
      this.describe();
      this.plot.draw();
    }
  }

  private onDrawn(lines: number): void {
    this.node.dataset['lines'] = String(lines);
    this.describe();
  }

  private dropChart(): void {
    this.plot.drop();
    delete this.node.dataset['lines'];
  }

  private windows(): SeriesWindow[] {
    const { grouping, series } = this.options;
    const windows = series.windows(this.key);
    return grouping.asked(this._metric).runs.flatMap(run => windows.get(run) ?? []);
  }

  private heading(): HTMLElement {
    const { trans } = this.options.trackside;
    const heading = document.createElement('div');
    heading.className = 'jp-trackside-chartHead';
    const name = document.createElement('span');
    name.className = 'jp-trackside-chartName';
    name.textContent = this._metric.name;
    name.title = this._metric.name;
    heading.append(name);
    if (this._metric.unit) {
      heading.append(badge(this._metric.unit));
    }
    if (this._metric.source === 'inferred') {
      const inferred = badge(trans.__('inferred'));
      inferred.title = trans.__('Read from what the cell printed; nobody logged it.');
      heading.append(inferred);
    }
    heading.append(menuButton(this.actions(), trans.__('More of %1', this._metric.name), trans));
    return heading;
  }

  private actions(): MenuAction[] {
    const { model, trackside } = this.options;
    const { trans } = trackside;
    const tell = (error: unknown): void => {
      void showErrorMessage(this._metric.name, describeError(error));
    };
    return [
      { id: 'full', label: trans.__('Full Screen'), run: () => this.showFull() },
      { id: 'pin', label: trans.__('Pin or Unpin'), run: () => model.togglePin(this.key) },
      { id: 'earlier', label: trans.__('Move Earlier'), run: () => model.moveEarlier(this.key) },
      { id: 'csv', label: trans.__('Save What Is Seen as CSV'), run: () => this.saveCsv() },
      { id: 'png', label: trans.__('Save as PNG'), run: () => void this.savePicture().catch(tell) },
      { id: 'copy', label: trans.__('Copy as PNG'), run: () => void copyPicture(this.picture()).catch(tell) }
    ];
  }

  private showFull(): void {
    const { trans } = this.options.trackside;
    if (this.fullScreen || !this.plot.exists) {
      return;
    }
    this.fullScreen = showFullScreen(this.plot.node, {
      title: this._metric.name,
      closeLabel: trans.__('Leave full screen'),
      onClosed: () => {
        this.fullScreen = null;
        this.setInView(this.seen);
        this.resized();
        this.node.querySelector<HTMLElement>('.jp-trackside-iconButton')?.focus();
      }
    });
    this.resized();
  }

  /** Another width shows other buckets. */
  private resized(): void {
    if (this.inView) {
      this.options.series.show(this._metric, this.plot.dataWidth);
    }
  }

  private saveCsv(): void {
    const { series, axis } = this.options;
    const text = csvOf(
      this._metric,
      this.windows(),
      axis.view,
      run => this.nameOf(run),
      series.smoothed(this.key)
    );
    saveFile(new Blob([text], { type: 'text/csv;charset=utf-8' }), `${this._metric.name}.csv`);
  }

  private async savePicture(): Promise<void> {
    saveFile(await this.picture(), `${this._metric.name}.png`);
  }

  private picture(): Promise<Blob> {
    const canvas = this.plot.picture;
    const { colours, trans } = this.options.trackside;
    if (!canvas) {
      return Promise.reject(new Error(trans.__('There is no chart yet.')));
    }
    const keys = this.windows().map(({ run }) => ({ name: this.nameOf(run), style: colours.styleOf(run) }));
    return chartPicture(canvas, this._metric.name, keys, this.node);
  }

  private nameOf(run: string): string {
    return this.options.grouping.nameOf(run);
  }

  private describe(): void {
    const { trans } = this.options.trackside;
    const count = this._metric.runs.length;
    this.node.setAttribute('aria-label', trans._n('%2: %1 run', '%2: %1 runs', count, this._metric.name));
    const problem = this.options.series.problem(this.key);
    const empty = this.plot.exists && this.windows().every(window => window.x.length === 0);
    this.note.textContent = problem ?? (empty ? trans.__('No points here.') : '');
  }

  private probe(): ChartProbe {
    return {
      drawn: () => this.plot.drawn.map(line => ({ ...line, name: this.nameOf(line.run) })),
      view: () => this.options.axis.view,
      marked: () => this.plot.marked,
      frame: () => this.plot.frame,
      picture: () => this.plot.picture,
      leftOf: x => this.plot.leftOf(x)
    };
  }

  private readonly plot: ChartPlot;
  private readonly resizing: IDisposable;
  private readonly note = document.createElement('div');
  private _metric: Metric;
  private inView = false;
  /** Whether its place is on screen, be the chart there or full screen. */
  private seen = false;
  private fullScreen: HTMLDialogElement | null = null;
}

function badge(text: string): HTMLElement {
  const node = document.createElement('span');
  node.className = 'jp-trackside-badge';
  node.textContent = text;
  return node;
}
