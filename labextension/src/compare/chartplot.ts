/** The drawing of one metric: lines, crosshair, tooltip; there while it is on screen. */
import type { Chart, DrawnLine, Frame, Line } from '../charts/chart';
import { banded, bestOf, drawingOf, padded, union, xExtent } from '../charts/geometry';
import { byValue, formatX, read, type Reading } from '../charts/readout';
import type { SharedAxis } from '../charts/sharedaxis';
import { Tooltip, type TooltipNote, type TooltipRow } from '../charts/tooltip';
import { spanOf, xLabel, type ChartPlotOptions, type Plots } from './plots';

/** Pixels of a chart that are surely axis, not data: were it more, a bucket could be wider than a pixel. */
const LEAST_AXIS_WIDTH = 24;

/** A run is read this share of the view beyond its ends; a point further away than this says where it is. */
const REACH = 0.03;

/** How long a zoom rests before the other charts follow, in milliseconds. */
const FOLLOW_MS = 100;

/** How near the pointer must be to an event to be told of it, in pixels. */
const EVENT_REACH = 8;

export class ChartPlot implements Plots {
  constructor(private readonly options: ChartPlotOptions) {
    this.plot.className = 'jp-trackside-plot';
    this.crosshair.className = 'jp-trackside-crosshair';
    this.crosshair.hidden = true;
    this.node.className = 'jp-trackside-chartFrame';
    this.node.append(this.plot, this.crosshair);
    this.tooltip = new Tooltip(this.node);
    const { axis, trackside } = options;
    axis.viewChanged.connect(this.onView, this);
    axis.pointerChanged.connect(this.onPointer, this);
    trackside.pointing.changed.connect(this.highlight, this);
    trackside.colours.changed.connect(this.onColours, this);
  }

  readonly node = document.createElement('div');

  get drawn(): DrawnLine[] {
    return this.chart?.drawn() ?? [];
  }

  async snapshot(): Promise<HTMLCanvasElement | null> {
    await this.made;
    return this.picture;
  }

  get picture(): HTMLCanvasElement | null {
    return this.chart?.picture() ?? null;
  }

  get exists(): boolean {
    return this.chart !== null;
  }

  /** How many device pixels of data fit side by side; the server reduces to about twice that. */
  get dataWidth(): number {
    const css = Math.max(100, (this.plot.clientWidth || 400) - LEAST_AXIS_WIDTH);
    return Math.round(css * Math.min(2, Math.max(1, window.devicePixelRatio)));
  }

  draw(): void {
    const windows = this.options.windows();
    if (this.disposed || windows.length === 0) {
      return;
    }
    this.wanted = true;
    this.options.axis.widen(this.options.axis.zoomed ? null : xExtent(windows));
    if (this.chart) {
      this.fill(this.chart);
    } else if (!this.making) {
      const generation = this.generation;
      this.making = true;
      this.made = this.makeChart().finally(() => {
        this.making = false;
        if (generation !== this.generation && this.wanted) {
          this.draw(); // it was dropped while it was made
        }
      });
    }
  }

  leftOf(x: number): number | null {
    return this.chart?.leftOf(x) ?? null;
  }

  get frame(): Frame | null {
    return this.chart?.frame() ?? null;
  }

  get frames(): Frame[] {
    return this.frame ? [this.frame] : [];
  }

  get title(): string {
    return this.chart?.title ?? '';
  }

  get marked(): number[] {
    return this.chart?.marked() ?? [];
  }

  get best(): { x: number; y: number } | null {
    return this.chart?.best() ?? null;
  }

  /** Other things have happened. */
  markEvents(): void {
    const { colours } = this.options.trackside;
    this.chart?.setEvents(
      this.options.events().map(({ run, x }) => ({ run, x, style: colours.styleOf(run) }))
    );
  }

  removeLine(run: string): void {
    this.chart?.removeLine(run);
  }

  drop(): void {
    this.wanted = false;
    this.generation += 1;
    window.clearTimeout(this.viewTimer);
    this.chart?.dispose();
    this.chart = null;
    this.crosshair.hidden = true;
    this.tooltip.hide();
  }

  dispose(): void {
    this.disposed = true;
    this.drop();
    const { axis, trackside } = this.options;
    axis.viewChanged.disconnect(this.onView, this);
    axis.pointerChanged.disconnect(this.onPointer, this);
    trackside.pointing.changed.disconnect(this.highlight, this);
    trackside.colours.changed.disconnect(this.onColours, this);
  }

  private async makeChart(): Promise<void> {
    const { axis, model, trackside } = this.options;
    const made = this.generation;
    const { makeChart } = await import('../charts/bokeh/chart');
    if (this.disposed || made !== this.generation) {
      return;
    }
    await makeChart(
      this.plot,
      {
        xKind: axis.kind,
        yScale: model.state.y,
        xLabel: this.options.small ? '' : xLabel(axis.kind, trackside),
        onZoom: view => axis.zoomTo(view),
        onReset: () => axis.zoomTo(null),
        onPoint: x => this.point(x)
      },
      chart => {
        this.chart = chart;
        this.fill(chart);
      }
    );
  }

  private fill(chart: Chart): void {
    const { colours } = this.options.trackside;
    const { y: scale, band, baseline } = this.options.model.state;
    const emphasised = baseline === null ? null : this.options.grouping.leadOf(baseline);
    const smoothed = this.options.smoothed();
    const { view } = this.options.axis;
    const pixel = (view.end - view.start) / this.dataWidth;
    const lines: Line[] = this.options.windows().map(window => {
      const smooth = smoothed.get(window.run);
      return {
        run: window.run,
        style: colours.styleOf(window.run),
        drawing: drawingOf(banded(window, band), scale, pixel),
        smooth: smooth ? drawingOf(smooth, scale) : null,
        emphasis: window.run === emphasised
      };
    });
    chart.setLines(lines);
    this.markEvents();
    this.highlight();
    this.fitView();
    this.options.onDrawn(lines.length);
  }

  /** Only the chart under the pointer follows a zoom at once: to paint all of them each time would show none in time. */
  private onView(): void {
    window.clearTimeout(this.viewTimer);
    if (this.pointed || this.options.axis.pointer === null) {
      this.fitView();
    } else {
      this.viewTimer = window.setTimeout(() => this.fitView(), FOLLOW_MS);
    }
  }

  private fitView(): void {
    if (this.chart) {
      const { axis, model, windows, smoothed, atLeast, spanned } = this.options;
      const { y: scale } = model.state;
      const drawn = spanned ? spanned() : spanOf([...windows(), ...smoothed().values()], axis, model);
      const y = union(drawn, scale === 'log' ? null : atLeast) ?? { start: scale === 'log' ? 1 : 0, end: 1 };
      this.chart.setView(axis.view, padded(y, 0.06, scale));
      this.markBest(this.chart);
    }
  }

  private markBest(chart: Chart): void {
    const { axis, better, model, trackside, windows } = this.options;
    const best = better ? bestOf(windows(), better, axis.view) : null;
    const drawable = best && (best.value > 0 || model.state.y === 'linear');
    chart.setBest(drawable ? { x: best.x, y: best.value, style: trackside.colours.styleOf(best.run) } : null);
  }

  private highlight(): void {
    const { grouping, trackside } = this.options;
    const run = trackside.pointing.run;
    this.chart?.highlight(run === null ? null : grouping.leadOf(run));
  }

  private onColours(): void {
    if (this.chart) {
      this.fill(this.chart);
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
    const { axis, grouping, trackside, windows, smoothed } = this.options;
    const means = smoothed();
    const smoothText = (run: string): string => {
      const mean = means.get(run);
      const reading = mean ? read(mean, at, reach) : null;
      return reading ? trackside.trans.__('smoothed %1', reading.text) : '';
    };
    const reach = (axis.view.end - axis.view.start) * REACH;
    const readings = windows().flatMap(window => read(window, at, reach) ?? []);
    const nearest = Math.min(...readings.map(({ x }) => Math.abs(x - at)));
    const place = readings.find(({ x }) => Math.abs(x - at) === nearest)?.x ?? at;
    const placeText = ({ x }: Reading): string =>
      Math.abs(x - place) > reach ? trackside.trans.__('at %1', formatX(x, axis.kind)) : '';
    const rows = readings.sort(byValue).map<TooltipRow>(reading => ({
      ...reading,
      behind: [placeText(reading), smoothText(reading.run), reading.behind].filter(Boolean).join(' · '),
      name: grouping.nameOf(reading.run),
      style: trackside.colours.styleOf(reading.run)
    }));
    const title = formatX(place, axis.kind);
    this.tooltip.show({ title, rows, notes: this.notesAt(left) }, left, count =>
      trackside.trans.__('and %1 more', count)
    );
  }

  private notesAt(left: number): TooltipNote[] {
    const { events, grouping, trackside } = this.options;
    const near = (x: number): boolean => Math.abs((this.chart?.leftOf(x) ?? Infinity) - left) <= EVENT_REACH;
    return events()
      .filter(({ x }) => near(x))
      .map(({ run, text }) => ({
        text,
        name: grouping.labels.of(run),
        style: trackside.colours.styleOf(run)
      }));
  }

  private readonly plot = document.createElement('div');
  private readonly crosshair = document.createElement('div');
  private readonly tooltip: Tooltip;
  private chart: Chart | null = null;
  private generation = 0;
  private viewTimer = 0;
  private making = false;
  private made: Promise<void> = Promise.resolve();
  /** Whether a figure is to be there once it is made. */
  private wanted = false;
  private pointed = false;
  private disposed = false;
}
