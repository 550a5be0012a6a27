/** What a chart asks the server for. */
import type { Axes } from '../charts/axes';
import type { SeriesRequest } from '../wire/protocol';
import type { Grouping } from './grouping';
import type { Shown } from './seriesentry';

/** How much more than the view is asked for on each side, so that lines run out of the frame. */
const MARGIN = 0.05;

interface Asking {
  axes: Axes;
  grouping: Grouping;
  /** Weight of the past in a moving average, from 0 for none. */
  smoothing: number;
}

/** The series as recorded, and smoothed as well when that is wanted: of what is zoomed to, in the chart's width. */
export function requestsOf(
  { metric, width }: Pick<Shown, 'metric' | 'width'>,
  { axes, grouping, smoothing }: Asking
): SeriesRequest[] {
  const axis = axes.of(metric);
  const zoom = axis.zoomed;
  const room = zoom ? (zoom.end - zoom.start) * MARGIN : 0;
  const plain: SeriesRequest = {
    metric: metric.name,
    ...grouping.asked(metric),
    x: axis.kind,
    start: zoom ? zoom.start - room : null,
    stop: zoom ? zoom.end + room : null,
    width,
    source: metric.source,
    smoothing: 0
  };
  return smoothing > 0 ? [plain, { ...plain, smoothing }] : [plain];
}
