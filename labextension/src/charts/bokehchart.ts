/** Charts drawn by BokehJS. The only file that knows it; load it with `import()`: it is 1.4 MB. */
import Bokeh from '@bokeh/bokehjs/build/js/bokeh.esm.min.js';
import '@bokeh/bokehjs/build/js/bokeh-api.esm.min.js';

import type { LineStyle } from '../model/palette';
import type { XKind } from '../wire/protocol';
import type { Chart, ChartOptions, DrawnLine, Line } from './chart';
import type { Drawing, Extent } from './geometry';
import { tickLabels } from './readout';

type Range = InstanceType<typeof Bokeh.Range1d>;
type Source = InstanceType<typeof Bokeh.ColumnDataSource>;
type Figure = InstanceType<typeof Bokeh.Plotting.Figure>;
type Renderer = ReturnType<Figure['line']>;

/** The models of one run. */
interface RunModels {
  style: LineStyle;
  line: Source;
  band: Source;
  lone: Source;
  marks: Source;
  renderers: Renderer[];
}

/** Marks of values that are not finite: their shape, and where on the chart's edge they stand (share of its height). */
const MARKS = {
  nan: { marker: 'x', height: 0.04 },
  posinf: { marker: 'triangle', height: 0.96 },
  neginf: { marker: 'inverted_triangle', height: 0.04 }
} as const;

const FULL = 1;
const FAINT = 0.12;

class BokehChart implements Chart {
  constructor(
    private readonly node: HTMLElement,
    options: ChartOptions
  ) {
    this.figure = makeFigure(options, this.x, this.y, getComputedStyle(node).fontFamily);
    this.document.add_root(this.figure);
    const zoomed = (): void => {
      if (!this.settingView) {
        options.onZoom({ start: this.x.start, end: this.x.end });
      }
    };
    this.x.properties.start.change.connect(zoomed);
    this.x.properties.end.change.connect(zoomed);
    this.figure.on_event('mousemove', (event: { x: number }) => options.onPoint(event.x));
    this.figure.on_event('mouseleave', () => options.onPoint(null));
    this.figure.on_event('doubletap', () => options.onReset());
  }

  setLines(lines: readonly Line[]): void {
    for (const { run, style, drawing } of lines) {
      const models = this.runs.get(run);
      if (models && models.style.colour === style.colour && models.style.dash === style.dash) {
        fill(models, drawing);
      } else {
        this.removeLine(run);
        this.runs.set(run, addRun(this.figure, style, drawing));
      }
    }
  }

  removeLine(run: string): void {
    const models = this.runs.get(run);
    if (models) {
      const gone = new Set<unknown>(models.renderers);
      this.figure.renderers = this.figure.renderers.filter(renderer => !gone.has(renderer));
      this.runs.delete(run);
    }
  }

  setView(x: Extent, y: Extent): void {
    this.settingView = true;
    this.x.setv({ start: x.start, end: x.end });
    this.y.setv({ start: y.start, end: y.end });
    this.settingView = false;
  }

  highlight(run: string | null): void {
    for (const [id, { renderers }] of this.runs) {
      const line = renderers[0]?.glyph;
      if (line) {
        line.line_alpha = { value: run === null || run === id ? FULL : FAINT };
      }
    }
  }

  /** A canvas reads the theme's CSS variables only when its view is made: the models stay, the views are made anew. */
  repaint(): Promise<void> {
    this.painted = this.painted.then(async () => {
      this.removeViews();
      if (!this.disposed) {
        await Bokeh.embed.add_document_standalone(this.document, this.node);
      }
      if (this.disposed) {
        this.removeViews();
      }
    });
    return this.painted;
  }

  leftOf(x: number): number | null {
    const view = this.document.views_manager?.get(this.figure) as unknown as PlotView | null | undefined;
    return view?.frame && x >= this.x.start && x <= this.x.end ? view.frame.x_scale.compute(x) : null;
  }

  drawn(): DrawnLine[] {
    const column = (source: Source, name: string): number[] => Array.from(source.get_array<number>(name));
    return [...this.runs].map(([run, { line, band, marks }]) => ({
      run,
      x: column(line, 'x'),
      y: column(line, 'y'),
      low: column(band, 'low'),
      high: column(band, 'high'),
      marks: column(marks, 'x')
    }));
  }

  dispose(): void {
    this.disposed = true;
    this.removeViews();
    this.runs.clear();
  }

  private removeViews(): void {
    this.document.views_manager?.roots.forEach(view => view.remove());
    this.document.views_manager = undefined;
    this.node.replaceChildren();
  }

  private readonly x = new Bokeh.Range1d();
  private readonly y = new Bokeh.Range1d();
  private readonly document = new Bokeh.Document();
  private readonly figure: Figure;
  private readonly runs = new Map<string, RunModels>();
  private painted: Promise<void> = Promise.resolve();
  private settingView = false;
  private disposed = false;
}

/** What is used of BokehJS's view of a figure. */
interface PlotView {
  frame?: { x_scale: { compute(x: number): number } };
}

/** Makes a chart with its first lines and view. It paints once, when its node is on the page. */
export async function makeChart(
  node: HTMLElement,
  options: ChartOptions,
  prepare: (chart: Chart) => void
): Promise<Chart> {
  const chart = new BokehChart(node, options);
  prepare(chart);
  await chart.repaint();
  return chart;
}

function makeFigure(options: ChartOptions, x: Range, y: Range, font: string): Figure {
  const figure = Bokeh.Plotting.figure({
    x_range: x,
    y_range: y,
    y_axis_type: options.yScale,
    height: options.height,
    sizing_mode: 'stretch_width',
    toolbar_location: null,
    tools: [],
    min_border: 4,
    lod_threshold: null // never thins points out, also not while zooming
  });
  figure.extra_y_ranges = new Map([['marks', new Bokeh.Range1d({ start: 0, end: 1 })]]);
  const wheel = new Bokeh.WheelZoomTool({ dimensions: 'width', modifiers: { ctrl: true } });
  figure.add_tools(new Bokeh.BoxZoomTool({ dimensions: 'width' }), wheel);
  figure.toolbar.active_scroll = wheel;
  figure.xaxis.axis_label = options.xLabel;
  for (const axis of [...figure.xaxis, ...figure.yaxis]) {
    axis.setv({
      major_label_text_font: font,
      major_label_text_font_size: '11px',
      axis_label_text_font: font,
      axis_label_text_font_size: '11px',
      axis_label_text_font_style: 'normal',
      axis_label_standoff: 4,
      major_tick_in: 0,
      major_tick_out: 4,
      minor_tick_out: 0
    });
  }
  const formatter = new Bokeh.BasicTickFormatter();
  formatter.doFormat = ticks => tickLabels(ticks, options.xKind);
  const axis = [...figure.xaxis][0];
  axis?.setv({ formatter, ticker: tickerOf(options.xKind) });
  return figure;
}

/** Whole steps; seconds, minutes, hours and days that people count in. */
function tickerOf(kind: XKind): InstanceType<typeof Bokeh.Ticker> {
  const { AdaptiveTicker, CompositeTicker } = Bokeh;
  const desired_num_ticks = 6;
  const num_minor_ticks = 0;
  const common = { desired_num_ticks, num_minor_ticks };
  if (kind === 'step') {
    return new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5], min_interval: 1 });
  }
  return new CompositeTicker({
    ...common,
    tickers: [
      new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5], min_interval: 0, max_interval: 0.5 }),
      new AdaptiveTicker({ ...common, base: 60, mantissas: [1, 2, 5, 10, 15, 20, 30], min_interval: 1, max_interval: 1800 }),
      new AdaptiveTicker({ ...common, base: 24, mantissas: [1, 2, 4, 6, 8, 12].map(h => h * 3600), min_interval: 3600, max_interval: 43_200 }),
      new AdaptiveTicker({ ...common, base: 10, mantissas: [1, 2, 5, 7].map(d => d * 86_400), min_interval: 86_400 })
    ]
  }); // prettier-ignore
}

function addRun(figure: Figure, style: LineStyle, drawing: Drawing): RunModels {
  const source = (): Source => new Bokeh.ColumnDataSource({ data: {} });
  const models: RunModels = {
    style,
    line: source(),
    band: source(),
    lone: source(),
    marks: source(),
    renderers: []
  };
  fill(models, drawing);
  const { colour, dash } = style;
  const edge = { line_color: colour, line_alpha: 0.55, line_width: 1 };
  const [x, low, high] = [{ field: 'x' }, { field: 'low' }, { field: 'high' }];
  models.renderers = [
    figure.line(
      x,
      { field: 'y' },
      { source: models.line, line_color: colour, line_dash: dash, line_width: 1.75 }
    ),
    figure.varea(x, low, high, { source: models.band, fill_color: colour, fill_alpha: 0.2 }),
    figure.line(x, low, { source: models.band, ...edge }),
    figure.line(x, high, { source: models.band, ...edge }),
    figure.scatter(x, { field: 'y' }, { source: models.lone, color: colour, size: 6 }),
    figure.scatter(x, { field: 'y' }, {
      source: models.marks,
      marker: { field: 'marker' },
      color: colour,
      size: 8,
      line_width: 1.5,
      y_range_name: 'marks'
    }) // prettier-ignore
  ] as unknown as Renderer[];
  return models;
}

/** New data into the sources a run already has: the figure stays, nothing flickers. */
function fill(models: RunModels, drawing: Drawing): void {
  const { x, y, band, lone, marks } = drawing;
  models.line.data = { x, y };
  models.band.data = { x: band.x, low: band.low, high: band.high };
  models.lone.data = { x: lone.x, y: lone.y };
  models.marks.data = {
    x: marks.x,
    y: marks.kind.map(kind => MARKS[kind].height),
    marker: marks.kind.map(kind => MARKS[kind].marker)
  };
}
