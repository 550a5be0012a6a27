/** One metric of a comparison: a heading, and a chart while it is on screen. */
import { showErrorMessage } from '@jupyterlab/apputils';
import type { IDisposable } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';

import type { Axes } from '../charts/axes';
import { loadExtent } from '../charts/geometry';
import type { SharedAxis } from '../charts/sharedaxis';
import { menuButton, type MenuAction } from '../menu';
import type { Trackside } from '../trackside';
import type { SeriesWindow } from '../wire/decode';
import { describeError } from '../wire/errors';
import type { Metric, RunEvent } from '../wire/protocol';
import type { ByRun } from './byrun';
import { pictureOf, saveCsv, type ChartContent } from './chartfiles';
import { ChartHeading, headingFacts } from './chartheading';
import { copyPicture, saveFile } from './chartpicture';
import { ChartPlot } from './chartplot';
import { probeOf } from './chartprobe';
import { ChartSizing } from './chartsizing';
import type { CompareModel } from './comparemodel';
import type { CompareState } from './comparestate';
import { placedEvents, type PlacedEvent } from './events';
import { showFullScreen } from './fullscreen';
import type { Grouping } from './grouping';
import { Multiples } from './multiples';
import { onResize } from './onresize';
import type { Plots } from './plots';
import type { SeriesBook } from './seriesbook';
import { metricKey } from './seriesentry';

export interface ChartCardOptions {
  trackside: Trackside;
  model: CompareModel;
  axes: Axes;
  grouping: Grouping;
  events: ByRun<RunEvent[]>;
  series: SeriesBook;
  metric: Metric;
}

export class ChartCard extends Widget {
  constructor(private readonly options: ChartCardOptions) {
    super();
    const { trackside, model, series, metric } = options;
    this.addClass('jp-trackside-chart');
    this._metric = metric;
    this.node.dataset['metric'] = metric.name;
    this.node.dataset['source'] = metric.source;
    this.node.setAttribute('role', 'figure');
    this.note.className = 'jp-trackside-chartNote';
    this.note.setAttribute('role', 'status');
    this.body.className = 'jp-trackside-chartBody';
    this.plots = this.makePlots();
    this.body.append(this.plots.node, this.note);
    const { trans } = trackside;
    this.heading = new ChartHeading(
      menuButton(this.actions(), trans.__('More of %1', metric.name), trans),
      trans
    );
    this.sizing = new ChartSizing({ model, key: this.key, card: this.node, label: metric.name, trans });
    this.node.append(this.heading.node, this.body, this.sizing.handle);
    this.describe();
    const probe = probeOf(
      () => this.plots,
      () => this.axis.view,
      run => this.nameOf(run)
    );
    Object.defineProperty(this.node, 'trackside', { value: probe });
    series.changed.connect(this.onSeries, this);
    options.events.changed.connect(this.onEvents, this);
    model.changed.connect(this.onModel, this);
    series.waitingChanged.connect(this.onSeriesWaiting, this);
    this.resizing = onResize(this.body, () => this.resized());
  }

  /** Other runs are compared, or a run has the metric that did not. */
  set metric(metric: Metric) {
    const gone = this._metric.runs.filter(run => !metric.runs.includes(run));
    const { better } = this._metric;
    this._metric = metric;
    gone.forEach(run => this.plots.removeLine(run));
    if (this.axis !== this.options.axes.of(metric) || better !== metric.better) {
      this.rebuild(); // somebody said how it is meant
    }
    if (this.inView) {
      this.options.series.show(metric, this.plots.dataWidth);
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
      this.options.series.show(this._metric, this.plots.dataWidth);
    } else {
      this.options.series.hide(this.key);
      this.node.setAttribute('aria-busy', 'false');
      this.dropChart();
    }
  }

  /** Makes the chart anew: its axes are others, or how its runs stand together. */
  rebuild(): void {
    const { node } = this.plots;
    this.dropChart();
    this.plots.dispose();
    this.plots = this.makePlots();
    node.replaceWith(this.plots.node);
    this.draw();
    this.resized();
  }

  override dispose(): void {
    this.fullScreen?.close();
    this.fullScreen = null;
    this.resizing.dispose();
    this.setInView(false);
    this.plots.dispose();
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
    this.plots.markEvents();
  }

  private onModel(model: CompareModel, before: CompareState): void {
    const { apart, baseline, size, sizes } = model.state;
    if (apart !== before.apart) {
      this.rebuild();
    } else if (baseline !== before.baseline) {
      this.draw();
    }
    if (size !== before.size || sizes !== before.sizes) {
      this.sizing.update();
    }
  }

  private events(): PlacedEvent[] {
    const { events, model, trackside } = this.options;
    const runs = model.state.runs.flatMap(id => trackside.runs.get(id) ?? []);
    return placedEvents(runs, run => events.get(run) ?? [], { metric: this._metric, axis: this.axis.kind });
  }

  private draw(): void {
    if (this.inView) {
      this.describe();
      this.plots.draw();
    }
  }

  private onDrawn(lines: number): void {
    this.node.dataset['lines'] = String(lines);
    this.describe();
  }

  private dropChart(): void {
    this.plots.drop();
    delete this.node.dataset['lines'];
  }

  private windows(): SeriesWindow[] {
    const { grouping, series } = this.options;
    const windows = series.windows(this.key);
    return grouping.asked(this._metric).runs.flatMap(run => windows.get(run) ?? []);
  }

  private makePlots(): Plots {
    const { axes, grouping, model, series, trackside } = this.options;
    this.axis = axes.of(this._metric);
    this.toggleClass('jp-mod-apart', model.state.apart);
    const options = {
      trackside,
      model,
      axis: this.axis,
      grouping,
      atLeast: loadExtent(this._metric),
      better: this._metric.better,
      windows: () => this.windows(),
      smoothed: () => series.smoothed(this.key),
      events: () => this.events(),
      onDrawn: (lines: number) => this.onDrawn(lines)
    };
    return model.state.apart ? new Multiples(options) : new ChartPlot(options);
  }

  private actions(): MenuAction[] {
    const { model, trackside } = this.options;
    const { trans } = trackside;
    const tell = (error: unknown): void => {
      void showErrorMessage(this._metric.name, describeError(error));
    };
    const save = (picture: Blob): void => saveFile(picture, `${this._metric.name}.png`);
    return [
      { id: 'full', label: trans.__('Full Screen'), run: () => this.showFull() },
      { id: 'pin', label: trans.__('Pin or Unpin'), run: () => model.togglePin(this.key) },
      { id: 'earlier', label: trans.__('Move Earlier'), run: () => model.moveEarlier(this.key) },
      { id: 'later', label: trans.__('Move Later'), run: () => model.moveLater(this.key) },
      {
        id: 'csv',
        label: trans.__('Save What Is Seen as CSV'),
        run: () => saveCsv(this.content, this.options.grouping)
      },
      { id: 'png', label: trans.__('Save as PNG'), run: () => void this.picture().then(save).catch(tell) },
      { id: 'copy', label: trans.__('Copy as PNG'), run: () => void copyPicture(this.picture()).catch(tell) }
    ];
  }

  private showFull(): void {
    const { trans } = this.options.trackside;
    if (this.fullScreen || !this.plots.exists) {
      return;
    }
    this.fullScreen = showFullScreen(this.body, {
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
      this.options.series.show(this._metric, this.plots.dataWidth);
    }
  }

  private picture(): Promise<Blob> {
    const { grouping, model, trackside } = this.options;
    const { apart: titled } = model.state;
    return pictureOf(this.content, { trackside, grouping, plots: this.plots, host: this.node, titled });
  }

  private get content(): ChartContent {
    const { _metric: metric, axis } = this;
    return { metric, axis, windows: this.windows(), smoothed: this.options.series.smoothed(this.key) };
  }

  private nameOf(run: string): string {
    return this.options.grouping.nameOf(run);
  }

  private describe(): void {
    const { trans } = this.options.trackside;
    const count = this._metric.runs.length;
    this.node.setAttribute('aria-label', trans._n('%2: %1 run', '%2: %1 runs', count, this._metric.name));
    const problem = this.options.series.problem(this.key);
    const windows = this.windows();
    const empty = this.plots.exists && windows.every(window => window.x.length === 0);
    this.note.textContent = problem ?? (empty ? trans.__('No points here.') : '');
    const { grouping, model } = this.options;
    this.heading.update(
      this._metric,
      headingFacts({ metric: this._metric, axis: this.axis, windows, grouping, scale: model.state.y, trans })
    );
  }

  private plots: Plots;
  private axis!: SharedAxis;
  private readonly heading: ChartHeading;
  private readonly sizing: ChartSizing;
  /** What goes full screen. */
  private readonly body = document.createElement('div');
  private readonly resizing: IDisposable;
  private readonly note = document.createElement('div');
  private _metric: Metric;
  private inView = false;
  /** Whether its place is on screen, be the chart there or full screen. */
  private seen = false;
  private fullScreen: HTMLDialogElement | null = null;
}
