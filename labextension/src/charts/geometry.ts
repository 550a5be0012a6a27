/**
 * What of a window is drawn, and where. Pure functions; nothing here knows how it is drawn.
 *
 * A window's bucket stands for `count` original points. The line goes through each bucket's last value (W&B's "full
 * fidelity" does the same); the band between its exact least and greatest value keeps every spike visible.
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
  /** Empty when every bucket is one original point. */
  band: { x: number[]; low: number[]; high: number[] };
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

export function drawingOf(window: SeriesWindow, scale: YScale): Drawing {
  const x = Array.from(window.x);
  const y = Array.from(window.last, (value, i) => drawable(lineValue(window, i, value), scale));
  const drawing: Drawing = {
    x,
    y,
    band: { x: [], low: [], high: [] },
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
  return { x: Array.from(window.x), low, high };
}

/** A band as closed polygons, one a stretch without gaps: there along the low edge, back along the high one. */
export function polygons({ x, low, high }: Drawing['band']): { x: number[]; y: number[] }[] {
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
