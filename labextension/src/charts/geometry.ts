/**
 * What of a window is drawn, and where. Pure functions; nothing here knows how it is drawn.
 *
 * A window's bucket stands for `count` original points. The line goes through each bucket's last value (W&B's "full
 * fidelity" does the same); a bar between its exact least and greatest value keeps every spike visible, and in its
 * place: a bucket is at most a pixel wide, so bars side by side are a band, and where there was nothing there is none.
 * Only the means of groups have a band that is joined, for their runs may log less often than once a pixel.
 */
import type { SeriesWindow } from '../wire/decode';

export type YScale = 'linear' | 'log';

export interface Extent {
  start: number;
  end: number;
}

/** What the band around a group's mean shows: all of its points, or its standard deviation. */
export type Band = 'range' | 'std';

export type MarkKind = 'nan' | 'posinf' | 'neginf';

/** One run's part of a chart, as plain arrays. */
export interface Drawing {
  x: number[];
  /** NaN where there is nothing to draw: the line breaks there. */
  y: number[];
  /** Empty when every bucket is one original point. `joined`: an area, not a bar a bucket. */
  band: { x: number[]; low: number[]; high: number[]; joined: boolean };
  /** Points with no neighbour to draw a line to. */
  lone: { x: number[]; y: number[] };
  /** Where values were not finite. */
  marks: { x: number[]; kind: MarkKind[] };
}

function drawable(value: number, scale: YScale): number {
  return Number.isFinite(value) && (scale === 'linear' || value > 0) ? value : NaN;
}

/** The window with the band that is to be seen. Only a group's can be another than all of its points. */
export function banded(window: SeriesWindow, band: Band): SeriesWindow {
  if (!window.group || band === 'range') {
    return window;
  }
  const { std } = window.group;
  return {
    ...window,
    min: window.last.map((mean, i) => mean - (std[i] ?? 0)),
    max: window.last.map((mean, i) => mean + (std[i] ?? 0))
  };
}

/** @param pixel how wide a pixel is, in units of x; buckets further apart than two have a gap between them. */
export function drawingOf(window: SeriesWindow, scale: YScale, pixel = Infinity): Drawing {
  const x = Array.from(window.x);
  const y = Array.from(window.last, (value, i) => drawable(lineValue(window, i, value), scale));
  const drawing: Drawing = {
    ...withFirsts(window, { x, y }, scale, pixel),
    band: { x: [], low: [], high: [], joined: false },
    lone: { x: [], y: [] },
    marks: { x: [], kind: [] }
  };
  x.forEach((at, i) => {
    const value = y[i] as number;
    if (!Number.isNaN(value) && isBreak(y[i - 1]) && isBreak(y[i + 1])) {
      drawing.lone.x.push(at);
      drawing.lone.y.push(value);
    }
    for (const kind of ['nan', 'posinf', 'neginf'] as const) {
      if (window[kind][i]) {
        drawing.marks.x.push(at);
        drawing.marks.kind.push(kind);
      }
    }
  });
  if (!window.raw) {
    drawing.band = bandOf(window, scale);
  }
  return drawing;
}

/**
 * The line, with the first value of each bucket that stands behind a gap.
 *
 * Side by side buckets are a pixel apart, and a line through their last values is within a pixel of the true one. A
 * line over a gap is long: it has to end where the first point is, not where the bucket's last one is.
 */
function withFirsts(
  window: SeriesWindow,
  line: { x: number[]; y: number[] },
  scale: YScale,
  pixel: number
): { x: number[]; y: number[] } {
  const behindGap = (i: number): boolean =>
    i > 0 && (window.count[i] ?? 1) > 1 && (line.x[i] as number) - (line.x[i - 1] as number) > 2 * pixel;
  if (window.raw || window.group || !line.x.some((_, i) => behindGap(i))) {
    return line;
  }
  const first = (i: number): number => drawable(window.first[i] ?? NaN, scale);
  return {
    x: line.x.flatMap((at, i) => (behindGap(i) ? [at, at] : [at])),
    y: line.y.flatMap((value, i) => (behindGap(i) ? [first(i), value] : [value]))
  };
}

/** A bucket whose last value is not finite still has finite ones: the line goes through its greatest. */
function lineValue(window: SeriesWindow, i: number, last: number): number {
  return Number.isFinite(last) || window.raw ? last : (window.max[i] as number);
}

const isBreak = (value: number | undefined): boolean => value === undefined || Number.isNaN(value);

function bandOf(window: SeriesWindow, scale: YScale): Drawing['band'] {
  const high = Array.from(window.max, value => drawable(value, scale));
  // On a logarithmic axis a band that reaches below zero goes down to the least thing that can be drawn of it.
  const low = Array.from(window.min, (value, i) => {
    const drawn = drawable(value, scale);
    return Number.isNaN(drawn) ? (high[i] as number) : drawn;
  });
  return { x: Array.from(window.x), low, high, joined: window.group !== null };
}

/** A band as upright bars, one a bucket: one line with gaps. */
export function bars({ x, low, high }: Drawing['band']): { x: number[]; y: number[] } {
  return {
    x: x.flatMap(at => [at, at, NaN]),
    y: low.flatMap((value, i) => [value, high[i] ?? NaN, NaN])
  };
}

/** A band as closed polygons, one a stretch without gaps: there along the low edge, back along the high one. */
export function polygons({
  x,
  low,
  high
}: Pick<Drawing['band'], 'x' | 'low' | 'high'>): { x: number[]; y: number[] }[] {
  const areas: { x: number[]; y: number[] }[] = [];
  let from = 0;
  for (let i = 0; i <= x.length; i++) {
    if (i === x.length || Number.isNaN(low[i]) || Number.isNaN(high[i])) {
      if (i - from > 1) {
        const there = x.slice(from, i);
        areas.push({
          x: [...there, ...[...there].reverse()],
          y: [...low.slice(from, i), ...high.slice(from, i).reverse()]
        });
      }
      from = i + 1;
    }
  }
  return areas;
}

/** From the first to the last x of all windows; `null` when there is no point. */
export function xExtent(windows: Iterable<SeriesWindow>): Extent | null {
  let [start, end] = [Infinity, -Infinity];
  for (const { x } of windows) {
    for (const value of x) {
      start = Math.min(start, value);
      end = Math.max(end, value);
    }
  }
  return start <= end ? { start, end } : null;
}

/** The smallest extent around both. */
export function union(a: Extent | null, b: Extent | null): Extent | null {
  if (!a || !b) {
    return a ?? b;
  }
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

/** The exact least and greatest finite value of all windows with x in `view`; `null` when there is none. */
export function yExtent(windows: Iterable<SeriesWindow>, view: Extent, scale: YScale): Extent | null {
  let [start, end] = [Infinity, -Infinity];
  for (const { x, min, max } of windows) {
    for (let i = 0; i < x.length; i++) {
      const at = x[i] as number;
      if (at < view.start || at > view.end) {
        continue;
      }
      const [low, high] = [drawable(min[i] as number, scale), drawable(max[i] as number, scale)];
      start = Math.min(start, Number.isNaN(low) ? (Number.isNaN(high) ? Infinity : high) : low);
      end = Math.max(end, Number.isNaN(high) ? -Infinity : high);
    }
  }
  return start <= end ? { start, end } : null;
}

/** A value of a run, and where it is. */
export interface Best {
  run: string;
  x: number;
  value: number;
}

/**
 * The best value in view: the exact value, at the place of its bucket, which is at most a pixel wide. Of equal ones the
 * first. `null` when there is none.
 */
export function bestOf(
  windows: Iterable<SeriesWindow>,
  better: 'lower' | 'higher',
  view: Extent
): Best | null {
  const sign = better === 'lower' ? 1 : -1;
  let best: Best | null = null;
  for (const { run, x, min, max } of windows) {
    const extremes = better === 'lower' ? min : max;
    x.forEach((at, i) => {
      const value = extremes[i] as number;
      const seen = at >= view.start && at <= view.end && Number.isFinite(value);
      if (seen && (best === null || sign * (value - best.value) < 0)) {
        best = { run, x: at, value };
      }
    });
  }
  return best;
}

/** Whether any window has a finite value in view for which a logarithmic axis has no place. */
export function hasNoLogarithm(windows: Iterable<SeriesWindow>, view: Extent): boolean {
  for (const { x, min } of windows) {
    if (x.some((at, i) => at >= view.start && at <= view.end && (min[i] as number) <= 0)) {
      return true;
    }
  }
  return false;
}

/**
 * What the y axis of a machine's load always reaches: from nothing on, a percentage to all there is. On its own scale
 * half a percent would look like a crash. `null` for what somebody measured.
 */
export function loadExtent(metric: { source: string; unit: string | null }): Extent | null {
  return metric.source === 'system' ? { start: 0, end: metric.unit === '%' ? 100 : 0 } : null;
}

/** Room around an extent, so that no line runs along the frame; a single value stands in the middle. */
export function padded(extent: Extent, share: number, scale: YScale = 'linear'): Extent {
  if (scale === 'log') {
    const room = Math.max(Math.log(extent.end / extent.start) * share, 0.1);
    return { start: extent.start * Math.exp(-room), end: extent.end * Math.exp(room) };
  }
  const span = extent.end - extent.start;
  const room = span > 0 ? span * share : Math.abs(extent.end) * 0.1 || 0.5;
  return { start: extent.start - room, end: extent.end + room };
}

/** Index of the bucket nearest to `at`, -1 when there is none. `x` may be in any order. */
export function nearest(x: Float64Array, at: number): number {
  let [best, distance] = [-1, Infinity];
  for (let i = 0; i < x.length; i++) {
    const d = Math.abs((x[i] as number) - at);
    if (d < distance) {
      [best, distance] = [i, d];
    }
  }
  return best;
}
