/** What is known of one chart's series, and what of it was asked for. */
import type { SeriesWindow } from '../wire/decode';
import type { Metric, SeriesRequest } from '../wire/protocol';

/** A metric's name alone does not tell a logged from an inferred one. */
export const metricKey = (metric: Pick<Metric, 'name' | 'source'>): string =>
  `${metric.source}:${metric.name}`;

/** Whether the same part of a series is asked for; of which runs does not matter. */
export function samePart(a: SeriesRequest, b: SeriesRequest): boolean {
  const same = a.start === b.start && a.stop === b.stop && a.width === b.width;
  const grouped = JSON.stringify(a.groups) === JSON.stringify(b.groups);
  return same && grouped && a.x === b.x && a.smoothing === b.smoothing;
}

export interface Shown {
  metric: Metric;
  /** In pixels. */
  width: number;
  /** By run, as recorded. */
  windows: Map<string, SeriesWindow>;
  /** By run, smoothed; empty while nothing is to be. */
  smoothed: Map<string, SeriesWindow>;
  /** Number of the last request; an answer to an earlier one is stale. */
  request: number;
  /** What was asked for last, as text; "" before anything was. */
  question: string;
  /** Whether the last request is not answered yet. */
  waiting: boolean;
  problem: string | null;
  failures: number;
  /** What was pushed since the last request: it is no older than the answer, and stays. */
  pushed: Set<string>;
}

export const pushKey = (smoothing: number, run: string): string => `${smoothing}:${run}`;

/** Of a chart that has asked for nothing yet. */
export function newEntry(
  metric: Metric,
  width: number,
  windows: Map<string, SeriesWindow>,
  smoothed: Map<string, SeriesWindow>
): Shown {
  return {
    metric,
    width,
    windows,
    smoothed,
    request: 0,
    question: '',
    waiting: false,
    problem: null,
    failures: 0,
    pushed: new Set()
  };
}
