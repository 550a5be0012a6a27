/** Charts drawn by BokehJS. The only file that knows it; load it with `import()`: it is 1.4 MB. */
import Bokeh from '@bokeh/bokehjs/build/js/bokeh.esm.min.js';
import '@bokeh/bokehjs/build/js/bokeh-api.esm.min.js';

import type { XKind } from '../wire/protocol';
import type { Chart, ChartOptions, DrawnLine, Line } from './chart';
import { polygons, type Extent } from './geometry';
import { tickLabels } from './readout';

type Range = InstanceType<typeof Bokeh.Range1d>;
type Source = InstanceType<typeof Bokeh.ColumnDataSource>;
type Figure = InstanceType<typeof Bokeh.Plotting.Figure>;

/**
 * Five sources and five glyphs a chart, however many runs: one entry a run. A glyph a run would cost 100 runs seconds,
 * for BokehJS makes five views of each glyph.
 */
interface Sources {
  lines: Source;
  /** Filled polygons between least and greatest values. */
  bands: Source;
  /** The bands' edges, which keep a spike of one pixel visible. */
  edges: Source;
  lone: Source;
  marks: Source;
}

/** Marks of values that are not finite: their shape, and where on the chart's edge they stand (share of its height). */
const MARKS = {
  nan: { marker: 'x', height: 0.04 },
  posinf: { marker: 'triangle', height: 0.96 },
  neginf: { marker: 'inverted_triangle', height: 0.04 }
} as const;

const EDGE_ALPHA = 0.55;
const BAND_ALPHA = 0.2;
/** How much is left of the others when one run is brought forward. */
const FAINT = 0.15;

class BokehChart implements Chart {
  constructor(
    private readonly node: HTMLElement,
    options: ChartOptions
  ) {
    this.figure = makeFigure(options, this.x, this.y, getComputedStyle(node).fontFamily);
    addGlyphs(this.figure, this.sources);
    this.fill();
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
    lines.forEach(line => this.lines.set(line.run, line));
    this.fill();
  }

  removeLine(run: string): void {
    if (this.lines.delete(run)) {
      this.fill();
    }
  }

  setView(x: Extent, y: Extent): void {
    this.settingView = true;
    this.x.setv({ start: x.start, end: x.end });
    this.y.setv({ start: y.start, end: y.end });
    this.settingView = false;
  }

  highlight(run: string | null): void {
    if (run !== this.forward) {
      this.forward = run;
      this.fill();
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
    const { lines, edges, marks } = this.sources;
    const column = <T>(source: Source, name: string): T[] => Array.from(source.get_array<T>(name));
    const of = <T>(source: Source, name: string, run: string): T[] => {
      const values = column<T>(source, name);
      return column<string>(source, 'run').flatMap((other, i) => (other === run ? [values[i] as T] : []));
    };
    return column<string>(lines, 'run').map(run => {
      const [low, high] = of<number[]>(edges, 'ys', run);
      const [[x], [y]] = [of<number[]>(lines, 'xs', run), of<number[]>(lines, 'ys', run)];
      return {
        run,
        x: x ?? [],
        y: y ?? [],
        low: low ?? [],
        high: high ?? [],
        marks: of<number>(marks, 'x', run)
      };
    });
  }

  dispose(): void {
    this.disposed = true;
    this.removeViews();
    this.lines.clear();
  }

  /** New data into the sources: the figure stays, nothing flickers. */
  private fill(): void {
    const lines = [...this.lines.values()];
    const strength = (run: string): number => (this.forward === null || this.forward === run ? 1 : FAINT);
    fillLines(this.sources, lines, strength);
    fillBands(this.sources, lines, strength);
    fillPoints(this.sources, lines);
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
  private readonly sources: Sources = {
    lines: new Bokeh.ColumnDataSource(),
    bands: new Bokeh.ColumnDataSource(),
    edges: new Bokeh.ColumnDataSource(),
    lone: new Bokeh.ColumnDataSource(),
    marks: new Bokeh.ColumnDataSource()
  };
  private readonly lines = new Map<string, Line>();
  private forward: string | null = null;
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

function addGlyphs(figure: Figure, sources: Sources): void {
  const field = (name: string): { field: string } => ({ field: name });
  const [xs, ys, x, y] = ['xs', 'ys', 'x', 'y'].map(field) as [Field, Field, Field, Field];
  const [colour, alpha] = [field('colour'), field('alpha')];
  figure.patches(xs, ys, { source: sources.bands, fill_color: colour, fill_alpha: alpha, line_color: null });
  const stroke = { line_color: colour, line_alpha: alpha };
  figure.multi_line(xs, ys, { source: sources.edges, ...stroke, line_width: 1 });
  figure.multi_line(xs, ys, { source: sources.lines, ...stroke, line_dash: field('dash'), line_width: 1.75 });
  figure.scatter(x, y, { source: sources.lone, color: colour, size: 6 });
  const marker = field('marker');
  figure.scatter(x, y, { source: sources.marks, marker, color: colour, size: 8, y_range_name: 'marks' });
}

type Field = { field: string };
type Strength = (run: string) => number;

function fillLines({ lines: source }: Sources, lines: readonly Line[], strength: Strength): void {
  source.data = {
    run: lines.map(line => line.run),
    xs: lines.map(line => line.drawing.x),
    ys: lines.map(line => line.drawing.y),
    colour: lines.map(line => line.style.colour),
    dash: lines.map(line => line.style.dash),
    alpha: lines.map(line => strength(line.run))
  };
}

function fillBands({ bands, edges }: Sources, lines: readonly Line[], strength: Strength): void {
  const reduced = lines.filter(line => line.drawing.band.x.length > 0);
  const sides = reduced.flatMap(line => [
    { ...line, y: line.drawing.band.low },
    { ...line, y: line.drawing.band.high }
  ]);
  edges.data = {
    run: sides.map(side => side.run),
    xs: sides.map(side => side.drawing.band.x),
    ys: sides.map(side => side.y),
    colour: sides.map(side => side.style.colour),
    alpha: sides.map(side => EDGE_ALPHA * strength(side.run))
  };
  const areas = reduced.flatMap(line => polygons(line.drawing.band).map(area => ({ ...line, area })));
  bands.data = {
    xs: areas.map(({ area }) => area.x),
    ys: areas.map(({ area }) => area.y),
    colour: areas.map(({ style }) => style.colour),
    alpha: areas.map(({ run }) => BAND_ALPHA * strength(run))
  };
}

function fillPoints({ lone, marks }: Sources, lines: readonly Line[]): void {
  lone.data = {
    x: lines.flatMap(line => line.drawing.lone.x),
    y: lines.flatMap(line => line.drawing.lone.y),
    colour: lines.flatMap(line => line.drawing.lone.x.map(() => line.style.colour))
  };
  const points = lines.flatMap(({ run, style, drawing }) =>
    drawing.marks.kind.map((kind, i) => ({ run, style, x: drawing.marks.x[i], ...MARKS[kind] }))
  );
  marks.data = {
    run: points.map(point => point.run),
    x: points.map(point => point.x),
    y: points.map(point => point.height),
    marker: points.map(point => point.marker),
    colour: points.map(point => point.style.colour)
  };
}
