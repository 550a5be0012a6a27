/** Where events stand on an x axis. Pure functions. */
import { beginningOf } from '../text/looks';
import type { Metric, Run, RunEvent, XAxis } from '../wire/protocol';

/** What is marked on charts; the list of events has all of them. */
export const isMarked = (event: RunEvent): boolean => event.level !== 'info' && event.level !== 'debug';

/** `null` where it has no place: nobody knows when it was, or what stood on that axis then. */
export function placeOf(event: RunEvent, run: Pick<Run, 'created'>, axis: XAxis): number | null {
  switch (axis) {
    case 'step':
      return event.step;
    case 'relative':
      return event.time === null ? null : event.time - run.created;
    case 'time':
      return event.time;
    default:
      return null;
  }
}

/** `gpu-fault: Xid 79`. */
export function eventText(event: RunEvent): string {
  return beginningOf(event.detail ? `${event.name}: ${event.detail}` : event.name, 300);
}

/** An event that is marked on a chart. */
export interface PlacedEvent {
  run: string;
  /** In units of the axis. */
  x: number;
  text: string;
}

interface Placing {
  metric: Pick<Metric, 'source'>;
  axis: XAxis;
}

/** What is marked on a metric's chart. An inferred metric counts its own steps: on these events have no place. */
export function placedEvents(
  runs: readonly Run[],
  eventsOf: (run: string) => readonly RunEvent[],
  { metric, axis }: Placing
): PlacedEvent[] {
  if (metric.source === 'inferred' && axis === 'step') {
    return [];
  }
  return runs.flatMap(run =>
    eventsOf(run.id)
      .filter(isMarked)
      .flatMap(event => {
        const x = placeOf(event, run, axis);
        return x === null ? [] : [{ run: run.id, x, text: eventText(event) }];
      })
  );
}
