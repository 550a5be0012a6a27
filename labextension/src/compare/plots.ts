/** What a card of the comparison asks of the drawing of its metric, and gives it. */
import type { DrawnLine, Frame } from '../charts/chart';
import { banded, yExtent, type Extent } from '../charts/geometry';
import type { SharedAxis } from '../charts/sharedaxis';
import type { Trackside } from '../trackside';
import type { SeriesWindow } from '../wire/decode';
import type { Metric } from '../wire/protocol';
import type { CompareModel } from './comparemodel';
import type { Grouping } from './grouping';
import type { PlacedEvent } from './events';

/** The drawing of a metric, be it one figure or one a run. */
export interface Plots {
  readonly node: HTMLElement;
  /** Whether there is a figure, be it an empty one. */
  readonly exists: boolean;
  /** How many device pixels of data fit side by side in one figure. */
  readonly dataWidth: number;
  readonly drawn: DrawnLine[];
  readonly marked: number[];
  /** Of the x axis; of several figures, of the first. */
  readonly title: string;
  readonly best: { x: number; y: number } | null;
  /** Of several figures the first. */
  readonly frame: Frame | null;
  readonly frames: Frame[];
  /** As it looks now, in device pixels; of several figures the first. */
  readonly picture: HTMLCanvasElement | null;
  /** A picture of all of it, also of what is off screen. */
  snapshot(): Promise<HTMLCanvasElement | null>;
  leftOf(x: number): number | null;
  /** Brings the figure up to the windows. It is made once; after that only its data changes. */
  draw(): void;
  markEvents(): void;
  removeLine(run: string): void;
  /** Takes the figure away; `draw` makes another. */
  drop(): void;
  dispose(): void;
}

export interface ChartPlotOptions {
  trackside: Trackside;
  model: CompareModel;
  axis: SharedAxis;
  grouping: Grouping;
  /** What the y axis reaches in any case. */
  atLeast: Extent | null;
  /** The best value in view is marked, where somebody said which is better. */
  better: Metric['better'];
  /** Between which values the y axis spans; by default, those that are drawn. */
  spanned?: () => Extent | null;
  /** One of many: its x axis has no title, that of the others is the same. */
  small?: boolean;
  /** What is to be drawn now. */
  windows: () => SeriesWindow[];
  /** By run, the same smoothed; empty for none. */
  smoothed: () => ReadonlyMap<string, SeriesWindow>;
  /** What happened to the runs, where it has a place on this axis. */
  events: () => PlacedEvent[];
  /** Told when something was drawn: how many lines. */
  onDrawn: (lines: number) => void;
}

/** The least and the greatest value in view of what is drawn of these windows. */
export function spanOf(
  windows: readonly SeriesWindow[],
  axis: SharedAxis,
  { state }: CompareModel
): Extent | null {
  const all = windows.map(window => banded(window, state.band));
  return yExtent(all, axis.view, state.y);
}

/** The title of an x axis. */
export function xLabel(kind: SharedAxis['kind'], { trans }: Trackside): string {
  switch (kind) {
    case 'step':
      return trans.__('step');
    case 'relative':
      return trans.__("time since the run's start");
    case 'time':
      return trans.__('time of day');
    default:
      return kind;
  }
}
