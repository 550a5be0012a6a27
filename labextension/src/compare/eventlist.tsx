/** Everything that happened to the compared runs, by time, also what has no place on any chart. All as text. */
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { Swatch } from '../sidebar/swatch';
import { formatCount, formatMoment } from '../text/format';
import { beginningOf } from '../text/looks';
import type { Trackside } from '../trackside';
import type { RunEvent } from '../wire/protocol';
import type { ByRun } from './byrun';
import type { CompareModel } from './comparemodel';
import type { RunLabels } from './runlabels';

/** Rows shown; of a run that reports without end the newest count. */
const MOST = 500;

export interface EventListProps {
  trackside: Trackside;
  model: CompareModel;
  events: ByRun<RunEvent[]>;
  labels: RunLabels;
}

export class EventList extends ReactWidget {
  constructor(private readonly props: EventListProps) {
    super();
    this.addClass('jp-trackside-table');
  }

  protected override render(): React.JSX.Element {
    return <Events {...this.props} />;
  }
}

/** Of all compared runs, oldest first; those without a time last. */
export function allEvents({ model, events }: Pick<EventListProps, 'model' | 'events'>): RunEvent[] {
  const found = model.state.runs.flatMap(id => events.get(id) ?? []);
  return found.sort((a, b) => (a.time ?? Infinity) - (b.time ?? Infinity));
}

function Events({ trackside, model, events, labels }: EventListProps): React.JSX.Element {
  const { runs, colours, trans } = trackside;
  useUpdatesOf(events.changed, model.changed, runs.changed, colours.changed);
  const all = allEvents({ model, events });
  if (events.problem !== null) {
    return <p className="jp-trackside-problem">{events.problem}</p>;
  }
  if (all.length === 0) {
    return <p className="jp-trackside-hint">{trans.__('Nothing was reported.')}</p>;
  }
  const now = Date.now() / 1000;
  const left = all.length - MOST;
  return (
    <div className="jp-trackside-tableScroll" tabIndex={0} role="region" aria-label={trans.__('Events')}>
      <table>
        <thead>
          <tr>
            {[trans.__('time'), trans.__('step'), trans.__('run'), trans.__('what')].map(label => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {left > 0 && (
            <tr>
              <td colSpan={4}>{trans._n('%1 earlier event', '%1 earlier events', left)}</td>
            </tr>
          )}
          {all.slice(-MOST).map((event, index) => (
            <tr key={index} data-event={event.name} data-level={event.level}>
              <td>{event.time === null ? '–' : formatMoment(event.time, now)}</td>
              <td>{event.step === null ? '–' : formatCount(event.step)}</td>
              <td>
                <Swatch style={colours.styleOf(event.run)} /> {labels.of(event.run)}
              </td>
              <td className="jp-trackside-eventText">
                <b>{event.name}</b> {beginningOf(event.detail)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
