/** The runs of a comparison with their colours; pointing at one brings its lines forward. */
import { closeIcon, ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import type { Clock } from '../model/clock';
import { StatusIcon, statusLabel } from '../sidebar/status';
import { Swatch } from '../sidebar/swatch';
import { formatDuration, runSeconds } from '../text/format';
import type { Trackside } from '../trackside';
import type { CompareModel } from './comparemodel';

export interface LegendProps {
  trackside: Trackside;
  model: CompareModel;
  clock: Clock;
}

export class Legend extends ReactWidget {
  constructor(private readonly props: LegendProps) {
    super();
    this.addClass('jp-trackside-legend');
  }

  protected override render(): React.JSX.Element {
    return <Chips {...this.props} />;
  }
}

function Chips({ trackside, model, clock }: LegendProps): React.JSX.Element {
  const { runs, colours, pointing, trans } = trackside;
  useUpdatesOf(runs.changed, colours.changed, pointing.changed, model.changed);
  const ids = model.state.runs;
  const now = useNow(
    clock,
    ids.some(id => runs.get(id)?.status === 'running')
  );
  return (
    <ul aria-label={trans.__('Compared runs')}>
      {ids.map(id => {
        const run = runs.get(id);
        return (
          <li
            key={id}
            className={`jp-trackside-chip${pointing.run === id ? ' jp-mod-pointed' : ''}`}
            data-run-id={id}
            data-status={run?.status}
            title={run ? [run.name, run.project, run.id, run.status_detail].filter(Boolean).join('\n') : id}
            onMouseEnter={() => pointing.at(id)}
            onMouseLeave={() => pointing.at(null)}
          >
            <Swatch style={colours.styleOf(id)} />
            <span className="jp-trackside-chipName">{run?.name ?? id}</span>
            {run && <StatusIcon status={run.status} />}
            <span className="jp-trackside-chipState">
              {run
                ? `${statusLabel(run.status, trans)} · ${formatDuration(runSeconds(run, now))}`
                : trans.__('not found')}
            </span>
            <button
              className="jp-trackside-chipClose"
              title={trans.__('Take out of the comparison')}
              aria-label={trans.__('Take %1 out of the comparison', run?.name ?? id)}
              onClick={() => {
                pointing.at(null);
                model.update({ runs: ids.filter(other => other !== id) });
              }}
            >
              <closeIcon.react tag="span" width="14px" height="14px" />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
