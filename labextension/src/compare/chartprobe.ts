/** What can be asked of a chart from outside. */
import type { DrawnLine, Frame } from '../charts/chart';
import type { Plots } from './plots';

/**
 * What tests (and people in the console) may ask a chart's node (`[data-metric]`): its `trackside` property answers
 * from the drawing library's own data.
 */
export interface ChartProbe {
  drawn: () => (DrawnLine & { name: string })[];
  view: () => { start: number; end: number };
  /** Where events are marked. */
  marked: () => number[];
  frame: () => Frame | null;
  /** Of the x axis. */
  title: () => string;
  /** Of each figure that is there. */
  frames: () => Frame[];
  /** As it looks now, in device pixels. */
  picture: () => HTMLCanvasElement | null;
  /** Where the best value is marked. */
  best: () => { x: number; y: number } | null;
  /** Pixels from the plot's left edge to x. */
  leftOf: (x: number) => number | null;
}

export function probeOf(
  plots: () => Plots,
  view: () => { start: number; end: number },
  nameOf: (run: string) => string
): ChartProbe {
  return {
    drawn: () => plots().drawn.map(line => ({ ...line, name: nameOf(line.run) })),
    view,
    marked: () => plots().marked,
    frame: () => plots().frame,
    title: () => plots().title,
    frames: () => plots().frames,
    picture: () => plots().picture,
    best: () => plots().best,
    leftOf: x => plots().leftOf(x)
  };
}
