/** What a comparison needs of a chart, whatever draws it. */
import type { LineStyle } from '../model/palette';
import type { XAxis } from '../wire/protocol';
import type { Drawing, Extent, YScale } from './geometry';

/** One run's line. */
export interface Line {
  run: string;
  style: LineStyle;
  drawing: Drawing;
  /** The smoothed line; the one as recorded stands faint behind it. */
  smooth: Pick<Drawing, 'x' | 'y'> | null;
  /** Drawn over the others, and thicker: the baseline. */
  emphasis: boolean;
}

/** Something that happened to a run, at a place on the x axis. */
export interface EventMark {
  run: string;
  x: number;
  style: LineStyle;
}

/** A place of a line that is to be seen at once. */
export interface BestMark {
  x: number;
  y: number;
  style: LineStyle;
}

/** A line as it is drawn: its points, the band around them, and the marks of values that are not finite. */
export interface DrawnLine {
  run: string;
  x: number[];
  y: number[];
  low: number[];
  high: number[];
  marks: number[];
  /** Empty without smoothing. */
  smooth: number[];
}

/** The part of a chart in which lines are: in pixels from its top left corner, and in units of its axes. */
export interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: Extent;
  y: Extent;
}

export interface ChartOptions {
  xKind: XAxis;
  yScale: YScale;
  xLabel: string;
  /** The person dragged or turned the wheel over the chart. */
  onZoom: (view: Extent) => void;
  onReset: () => void;
  /** The pointer is at x, or left (`null`). */
  onPoint: (x: number | null) => void;
}

export interface Chart {
  /** Replaces the runs given, adds those that are new. Others stay as they are. */
  setLines(lines: readonly Line[]): void;
  removeLine(run: string): void;
  /** Replaces all marks of events. */
  setEvents(marks: readonly EventMark[]): void;
  /** Marks the best value, `null` none. */
  setBest(mark: BestMark | null): void;
  setView(x: Extent, y: Extent): void;
  /** Brings one run forward, `null` none. */
  highlight(run: string | null): void;
  /** Draws anew with the colours of the page's theme. */
  repaint(): Promise<void>;
  /** Pixels from the chart's left edge to `x`, `null` when that is not in the frame. */
  leftOf(x: number): number | null;
  /** Where the lines are drawn, `null` while nothing is. */
  frame(): Frame | null;
  /** The picture of it as it is now, in device pixels; `null` while there is none. */
  picture(): HTMLCanvasElement | null;
  /** What is written at the x axis. */
  readonly title: string;
  /** Where events are marked now. */
  marked(): number[];
  /** Where the best value is marked now. */
  best(): { x: number; y: number } | null;
  /** What is drawn now: one entry a run, straight from the drawing library's own data. */
  drawn(): DrawnLine[];
  dispose(): void;
}

/**
 * Makes a chart inside `node`, which must be on the page; it fills the node, also when that changes its size.
 *
 * `prepare` gives it its first lines and view, so that it paints once.
 */
export type ChartFactory = (
  node: HTMLElement,
  options: ChartOptions,
  prepare: (chart: Chart) => void
) => Promise<Chart>;
