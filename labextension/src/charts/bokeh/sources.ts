/** What a chart's glyphs draw, and how lines become their data. */
import type { BestMark, EventMark, Line } from '../chart';
import { bars, polygons } from '../geometry';
import type { Figure } from './figure';
import Bokeh from './library';

export type Source = InstanceType<typeof Bokeh.ColumnDataSource>;

/**
 * Eight sources and nine glyphs a chart, however many runs: one entry a run. A glyph a run would cost 100 runs seconds,
 * for BokehJS makes five views of each glyph.
 */
export interface Sources {
  lines: Source;
  /** Filled polygons of groups: between least and greatest values, or around the mean. */
  bands: Source;
  /** Of a run a bar a bucket, from least to greatest: one entry. Of a group the edges of its band: two. */
  edges: Source;
  /** Smoothed lines, over those as recorded. */
  smooth: Source;
  lone: Source;
  marks: Source;
  /** What happened to runs: a line from top to bottom, and a flag on it. */
  events: Source;
  /** One star at most. */
  best: Source;
}

/** Marks of values that are not finite: their shape, and where on the chart's edge they stand (share of its height). */
const MARKS = {
  nan: { marker: 'x', height: 0.04 },
  posinf: { marker: 'triangle', height: 0.96 },
  neginf: { marker: 'inverted_triangle', height: 0.04 }
} as const;

const EDGE_ALPHA = 0.5;
const BAND_ALPHA = 0.2;
/** Widths of lines in pixels. */
const LINE_WIDTH = 1.75;
/** Of many lines each is a hairline: they hide each other less, and browsers paint hairlines many times faster. */
const HAIRLINE = 1;
const MANY = 24;
const SMOOTH_WIDTH = 2;
const EMPHASIS_WIDTH = 3.5;
/** A star, in pixels; its edge sets it off from lines of its own colour, on light and on dark. */
const BEST_SIZE = 15;
const BEST_EDGE = '#f5b301';
const EVENT_ALPHA = 0.6;
/** How much is left of a line as recorded behind its smoothed one. */
const BEHIND = 0.3;
/** How much is left of the others when one run is brought forward. */
const FAINT = 0.15;

export function emptySources(): Sources {
  return {
    lines: new Bokeh.ColumnDataSource(),
    bands: new Bokeh.ColumnDataSource(),
    edges: new Bokeh.ColumnDataSource(),
    smooth: new Bokeh.ColumnDataSource(),
    lone: new Bokeh.ColumnDataSource(),
    marks: new Bokeh.ColumnDataSource(),
    events: new Bokeh.ColumnDataSource({ data: { x: [], low: [], high: [], colour: [] } }),
    best: new Bokeh.ColumnDataSource({ data: { x: [], y: [], colour: [] } })
  };
}

/** New data into the sources; `forward` is the run that is brought forward, `null` for none. */
export function fill(sources: Sources, lines: readonly Line[], forward: string | null): void {
  const strength = (run: string): number => (forward === null || forward === run ? 1 : FAINT);
  fillLines(sources, lines, strength);
  fillSmooth(sources, lines, strength);
  fillBands(sources, lines, strength);
  fillPoints(sources, lines);
}

export function addGlyphs(figure: Figure, sources: Sources): void {
  const field = (name: string): { field: string } => ({ field: name });
  const [xs, ys, x, y] = ['xs', 'ys', 'x', 'y'].map(field) as [Field, Field, Field, Field];
  const [colour, alpha] = [field('colour'), field('alpha')];
  figure.patches(xs, ys, { source: sources.bands, fill_color: colour, fill_alpha: alpha, line_color: null });
  const stroke = { line_color: colour, line_alpha: alpha };
  addEvents(figure, sources.events);
  figure.multi_line(xs, ys, { source: sources.edges, ...stroke, line_width: 1 });
  figure.multi_line(xs, ys, {
    source: sources.lines,
    ...stroke,
    line_dash: field('dash'),
    line_width: field('width')
  });
  figure.multi_line(xs, ys, {
    source: sources.smooth,
    ...stroke,
    line_dash: field('dash'),
    line_width: field('width')
  });
  figure.scatter(x, y, { source: sources.lone, color: colour, size: 6 });
  const marker = field('marker');
  figure.scatter(x, y, { source: sources.marks, marker, color: colour, size: 8, y_range_name: 'marks' });
  figure.scatter(x, y, {
    source: sources.best,
    marker: 'star',
    fill_color: colour,
    line_color: BEST_EDGE,
    size: BEST_SIZE
  });
}

function addEvents(figure: Figure, source: Source): void {
  const field = (name: string): Field => ({ field: name });
  const common = { source, y_range_name: 'marks' };
  figure.segment(field('x'), field('low'), field('x'), field('high'), {
    ...common,
    line_color: field('colour'),
    line_alpha: EVENT_ALPHA,
    line_dash: 'dotdash'
  });
  figure.scatter(field('x'), field('high'), {
    ...common,
    marker: 'diamond',
    color: field('colour'),
    size: 9
  });
}

export function fillEvents({ events }: Sources, marks: readonly EventMark[]): void {
  events.data = {
    x: marks.map(mark => mark.x),
    low: marks.map(() => 0),
    high: marks.map(() => 0.97),
    colour: marks.map(mark => mark.style.colour)
  };
}

export function fillBest({ best }: Sources, mark: BestMark | null): void {
  const marks = mark ? [mark] : [];
  best.data = {
    x: marks.map(({ x }) => x),
    y: marks.map(({ y }) => y),
    colour: marks.map(({ style }) => style.colour)
  };
}

type Field = { field: string };
type Strength = (run: string) => number;

function fillLines({ lines: source }: Sources, lines: readonly Line[], strength: Strength): void {
  const thin = lines.length > MANY ? HAIRLINE : LINE_WIDTH;
  source.data = {
    run: lines.map(line => line.run),
    xs: lines.map(line => line.drawing.x),
    ys: lines.map(line => line.drawing.y),
    colour: lines.map(line => line.style.colour),
    dash: lines.map(line => line.style.dash),
    width: lines.map(line => (line.emphasis ? EMPHASIS_WIDTH : thin)),
    alpha: lines.map(line => strength(line.run) * (line.smooth ? BEHIND : 1))
  };
}

function fillSmooth({ smooth: source }: Sources, lines: readonly Line[], strength: Strength): void {
  const smooth = lines.flatMap(line => (line.smooth ? { ...line, smooth: line.smooth } : []));
  source.data = {
    run: smooth.map(line => line.run),
    xs: smooth.map(line => line.smooth.x),
    ys: smooth.map(line => line.smooth.y),
    colour: smooth.map(line => line.style.colour),
    dash: smooth.map(line => line.style.dash),
    width: smooth.map(() => (smooth.length > MANY ? HAIRLINE : SMOOTH_WIDTH)),
    alpha: smooth.map(line => strength(line.run))
  };
}

function fillBands({ bands, edges }: Sources, lines: readonly Line[], strength: Strength): void {
  const reduced = lines.filter(line => line.drawing.band.x.length > 0);
  const sides = reduced.flatMap(line => {
    const { band } = line.drawing;
    const edgesOf = [band.low, band.high].map(y => ({ ...line, x: band.x, y }));
    return band.joined ? edgesOf : [{ ...line, ...bars(band) }];
  });
  edges.data = {
    run: sides.map(side => side.run),
    xs: sides.map(side => side.x),
    ys: sides.map(side => side.y),
    colour: sides.map(side => side.style.colour),
    alpha: sides.map(side => EDGE_ALPHA * strength(side.run))
  };
  const joined = reduced.filter(line => line.drawing.band.joined);
  const areas = joined.flatMap(line => polygons(line.drawing.band).map(area => ({ ...line, area })));
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
