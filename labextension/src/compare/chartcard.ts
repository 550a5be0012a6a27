/** One metric of a comparison: a heading, and a chart while it is on screen. */
import { Widget } from '@lumino/widgets';

import type { Chart, DrawnLine, Line } from '../charts/chart';
import { drawingOf, padded, xExtent, yExtent } from '../charts/geometry';
import { byValue, formatX, read } from '../charts/readout';
import type { SharedAxis } from '../charts/sharedaxis';
import { Tooltip, type TooltipRow } from '../charts/tooltip';
import type { Trackside } from '../trackside';
import type { SeriesWindow } from '../wire/decode';
import type { Metric } from '../wire/protocol';
import type { CompareModel } from './comparemodel';
import { metricKey, type SeriesBook } from './seriesbook';

const HEIGHT = 220;

/** Pixels of a chart that are axis, not data. */
const AXIS_WIDTH = 60;

/** A run is read when it has a point within this share of the view. */
const REACH = 0.03;

export interface ChartCardOptions {
  trackside: Trackside;
  model: CompareModel;
  axis: SharedAxis;
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
}

export class ChartCard extends Widget {
  constructor(private readonly options: ChartCardOptions) {
    super();
    this.addClass('jp-trackside-chart');
    this._metric = options.metric;
    this.node.dataset['metric'] = options.metric.name;
    this.node.dataset['source'] = options.metric.source;
    this.node.setAttribute('role', 'figure');
    this.plot.className = 'jp-trackside-plot';
    this.plot.style.height = `${HEIGHT}px`;
    this.crosshair.className = 'jp-trackside-crosshair';
    this.crosshair.hidden = true;
    this.note.className = 'jp-trackside-chartNote';
    this.note.setAttribute('role', 'status');
    this.frame.className = 'jp-trackside-chartFrame';
    this.frame.append(this.plot, this.crosshair, this.note);
    this.node.append(this.heading(), this.frame);
    this.tooltip = new Tooltip(this.frame);
    Object.defineProperty(this.node, 'trackside', { value: this.probe() });
    this.connect();
  }

  /** Other runs are compared, or a run has the metric that did not. */
  set metric(metric: Metric) {
    const gone = this._metric.runs.filter(run => !metric.runs.includes(run));
    this._metric = metric;
    gone.forEach(run => this.chart?.removeLine(run));
    if (this.inView) {
      this.options.series.show(metric, this.dataWidth());
    }
    this.describe();
  }

  /** Starts and stops drawing. */
  setInView(inView: boolean): void {
    if (inView === this.inView) {
      return;
    }
    this.inView = inView;
    if (inView) {
      this.options.series.show(this._metric, this.dataWidth());
    } else {
      this.options.series.hide(this.key);
      this.dropChart();
    }
  }

  /** Makes the chart anew: its axes are others. */
  rebuild(): void {
    this.dropChart();
    this.draw();
  }

  override dispose(): void {
    this.setInView(false);
    super.dispose();
  }

  private get key(): string {
    return metricKey(this._metric);
  }

  private connect(): void {
    const { series, axis, model, trackside } = this.options;
    series.changed.connect((_sender, key) => key === this.key && this.draw(), this);
    axis.viewChanged.connect(this.fitView, this);
    axis.pointerChanged.connect(this.onPointer, this);
    model.highlightChanged.connect((_sender, run) => this.chart?.highlight(run), this);
    trackside.colours.changed.connect(this.onColours, this);
  }

  private heading(): HTMLElement {
    const { trans } = this.options.trackside;
    const heading = document.createElement('h4');
    const name = document.createElement('span');
    name.className = 'jp-trackside-chartName';
    name.textContent = this._metric.name;
    name.title = this._metric.name;
    heading.append(name);
    const words = [this._metric.unit ?? ''];
    if (this._metric.source === 'inferred') {
      words.push(trans.__('inferred'));
    }
    for (const word of words.filter(Boolean)) {
      const badge = document.createElement('span');
      badge.className = 'jp-trackside-badge';
      badge.textContent = word;
      if (word === trans.__('inferred')) {
        badge.title = trans.__('Read from what the cell printed; nobody logged it.');
      }
      heading.append(badge);
    }
    return heading;
  }

  private describe(): void {
    const { trans } = this.options.trackside;
    const count = this._metric.runs.length;
    this.node.setAttribute('aria-label', trans._n('%2: %1 run', '%2: %1 runs', count, this._metric.name));
    const problem = this.options.series.problem(this.key);
    const empty = this.chart !== null && this.windows().every(window => window.x.length === 0);
    this.note.textContent = problem ?? (empty ? trans.__('No points here.') : '');
  }

  /** How many device pixels of data fit side by side; the server reduces to about twice that. */
  private dataWidth(): number {
    const css = Math.max(100, (this.plot.clientWidth || 400) - AXIS_WIDTH);
    return Math.round(css * Math.min(2, Math.max(1, window.devicePixelRatio)));
  }

  private windows(): SeriesWindow[] {
    const windows = this.options.series.windows(this.key);
    return this._metric.runs.flatMap(run => windows.get(run) ?? []);
  }

  /** Brings the chart up to its windows. The figure is made once; after that only its data changes. */
  private draw(): void {
    if (!this.inView || this.isDisposed) {
      return;
    }
    this.describe();
    if (this.windows().length === 0) {
      return;
    }
    this.options.axis.widen(this.options.axis.zoomed ? null : xExtent(this.windows()));
    if (this.chart) {
      this.fillChart(this.chart);
    } else if (!this.making) {
      const generation = this.generation;
      this.making = true;
      void this.makeChart().finally(() => {
        this.making = false;
        if (generation !== this.generation) {
          this.draw(); // it was dropped while it was made
        }
      });
    }
  }

  private async makeChart(): Promise<void> {
    const { axis, model, trackside } = this.options;
    const made = this.generation;
    const { makeChart } = await import('../charts/bokehchart');
    if (!this.inView || this.isDisposed || made !== this.generation) {
      return;
    }
    await makeChart(
      this.plot,
      {
        xKind: axis.kind,
        yScale: model.state.y,
        xLabel: xLabel(axis.kind, trackside),
        height: HEIGHT,
        onZoom: view => axis.zoomTo(view),
        onReset: () => axis.zoomTo(null),
        onPoint: x => this.point(x)
      },
      chart => {
        this.chart = chart;
        this.fillChart(chart);
      }
    );
    this.describe();
  }

  private fillChart(chart: Chart): void {
    const { colours } = this.options.trackside;
    const scale = this.options.model.state.y;
    const lines: Line[] = this.windows().map(window => ({
      run: window.run,
      style: colours.styleOf(window.run),
      drawing: drawingOf(window, scale)
    }));
    chart.setLines(lines);
    chart.highlight(this.options.model.highlighted);
    this.fitView();
    this.node.dataset['lines'] = String(lines.length);
    this.describe();
  }

  private fitView(): void {
    if (this.chart) {
      const { axis, model } = this.options;
      const view = axis.view;
      const y = yExtent(this.windows(), view, model.state.y) ?? {
        start: model.state.y === 'log' ? 1 : 0,
        end: 1
      };
      this.chart.setView(view, padded(y, 0.06, model.state.y));
    }
  }

  private onColours(): void {
    if (this.chart) {
      this.fillChart(this.chart);
      // The page's style sheet of a new theme is in force only with the next frame.
      requestAnimationFrame(() => void this.chart?.repaint());
    }
  }

  private point(x: number | null): void {
    this.pointed = x !== null;
    if (x === null) {
      this.tooltip.hide();
    }
    this.options.axis.point(x);
  }

  private onPointer(_axis: SharedAxis, at: number | null): void {
    const left = at === null ? null : (this.chart?.leftOf(at) ?? null);
    this.crosshair.hidden = left === null;
    if (left === null || at === null) {
      return;
    }
    this.crosshair.style.transform = `translateX(${left}px)`;
    if (this.pointed) {
      this.showTooltip(at, left);
    }
  }

  private showTooltip(at: number, left: number): void {
    const { axis, trackside } = this.options;
    const reach = (axis.view.end - axis.view.start) * REACH;
    const rows = this.windows()
      .flatMap(window => read(window, at, reach) ?? [])
      .sort(byValue)
      .map<TooltipRow>(reading => ({
        ...reading,
        name: trackside.runs.get(reading.run)?.name ?? reading.run,
        style: trackside.colours.styleOf(reading.run)
      }));
    const title = formatX(rows[0]?.x ?? at, axis.kind);
    this.tooltip.show(title, rows, left, count => trackside.trans.__('and %1 more', count));
  }

  private dropChart(): void {
    this.generation += 1;
    this.chart?.dispose();
    this.chart = null;
    this.crosshair.hidden = true;
    this.tooltip.hide();
    delete this.node.dataset['lines'];
  }

  private probe(): ChartProbe {
    const name = (run: string): string => this.options.trackside.runs.get(run)?.name ?? run;
    return {
      drawn: () => (this.chart?.drawn() ?? []).map(line => ({ ...line, name: name(line.run) })),
      view: () => this.options.axis.view
    };
  }

  private readonly frame = document.createElement('div');
  private readonly plot = document.createElement('div');
  private readonly crosshair = document.createElement('div');
  private readonly note = document.createElement('div');
  private readonly tooltip: Tooltip;
  private _metric: Metric;
  private chart: Chart | null = null;
  private generation = 0;
  private making = false;
  private inView = false;
  private pointed = false;
}

function xLabel(kind: SharedAxis['kind'], { trans }: Trackside): string {
  switch (kind) {
    case 'step':
      return trans.__('step');
    case 'relative':
      return trans.__("time since the run's start");
    case 'time':
      return trans.__('time of day');
  }
}
