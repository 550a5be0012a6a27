/** The runs of a comparison, or their groups, with their colours; pointing at one brings its lines forward. */
import { closeIcon, ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import type { Clock } from '../model/clock';
import { StatusIcon, statusLabel } from '../sidebar/status';
import { Swatch } from '../sidebar/swatch';
import { costOf, formatCost } from '../text/cost';
import { formatDuration, runSeconds } from '../text/format';
import { beginningOf } from '../text/looks';
import type { Trackside } from '../trackside';
import type { CompareModel } from './comparemodel';
import type { Grouping } from './grouping';
import type { RunGroup } from './rungroups';
import type { RunLabels } from './runlabels';

export interface LegendProps {
  trackside: Trackside;
  model: CompareModel;
  grouping: Grouping;
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

function Chips(props: LegendProps): React.JSX.Element {
  const { trackside, model, grouping, clock } = props;
  const { runs, colours, pointing, trans } = trackside;
  useUpdatesOf(runs.changed, colours.changed, pointing.changed, model.changed, grouping.changed);
  const ids = model.state.runs;
  const now = useNow(
    clock,
    ids.some(id => runs.get(id)?.status === 'running')
  );
  const { groups } = grouping;
  return groups ? (
    <ul aria-label={trans.__('Groups of runs')}>
      {groups.map(group => (
        <GroupChip key={group.runs[0]} {...{ group, trackside }} labels={grouping.labels} />
      ))}
    </ul>
  ) : (
    <ul aria-label={trans.__('Compared runs')}>
      {ids.map(id => (
        <RunChip key={id} id={id} now={now} {...props} />
      ))}
    </ul>
  );
}

interface GroupChipProps {
  group: RunGroup;
  trackside: Trackside;
  labels: RunLabels;
}

function GroupChip({ group, trackside, labels }: GroupChipProps): React.JSX.Element {
  const { colours, pointing, trans } = trackside;
  const lead = group.runs[0] ?? '';
  const pointed = pointing.run !== null && group.runs.includes(pointing.run);
  return (
    <li
      className={`jp-trackside-chip${pointed ? ' jp-mod-pointed' : ''}`}
      data-group={group.label}
      title={group.runs
        .slice(0, 30)
        .map(id => labels.of(id))
        .join('\n')}
      onMouseEnter={() => pointing.at(lead)}
      onMouseLeave={() => pointing.at(null)}
    >
      <Swatch style={colours.styleOf(lead)} />
      <span className="jp-trackside-chipName">{group.label}</span>
      <span className="jp-trackside-chipState">{trans._n('%1 run', '%1 runs', group.runs.length)}</span>
    </li>
  );
}

function RunChip({
  id,
  now,
  trackside,
  model,
  grouping
}: LegendProps & { id: string; now: number }): React.JSX.Element {
  const { runs, colours, pointing, trans } = trackside;
  const run = runs.get(id);
  const label = grouping.labels.of(id);
  const usd = run ? costOf(run, now) : null;
  const cost = usd === null ? '' : formatCost(usd);
  const isBaseline = model.state.baseline === id;
  return (
    <li
      className={`jp-trackside-chip${pointing.run === id ? ' jp-mod-pointed' : ''}`}
      data-run-id={id}
      data-status={run?.status}
      title={
        run
          ? [run.name, run.project, run.id, beginningOf(run.status_detail, 300)].filter(Boolean).join('\n')
          : id
      }
      onMouseEnter={() => pointing.at(id)}
      onMouseLeave={() => pointing.at(null)}
    >
      <Swatch style={colours.styleOf(id)} />
      <span className="jp-trackside-chipName">{label}</span>
      {run && <StatusIcon status={run.status} />}
      <span className="jp-trackside-chipState">
        {run
          ? [statusLabel(run.status, trans), formatDuration(runSeconds(run, now)), cost]
              .filter(Boolean)
              .join(' · ')
          : trans.__('not found')}
      </span>
      <button
        className="jp-trackside-chipClose jp-trackside-baseline"
        aria-pressed={isBaseline}
        title={isBaseline ? trans.__('No baseline') : trans.__('Compare the others with this one')}
        aria-label={trans.__('%1 is the baseline', label)}
        onClick={() => model.update({ baseline: isBaseline ? null : id })}
      >
        {isBaseline ? '★' : '☆'}
      </button>
      <button
        className="jp-trackside-chipClose"
        title={trans.__('Take out of the comparison')}
        aria-label={trans.__('Take %1 out of the comparison', label)}
        onClick={() => {
          pointing.at(null);
          model.update({ runs: model.state.runs.filter(other => other !== id) });
        }}
      >
        <closeIcon.react tag="span" width="14px" height="14px" />
      </button>
    </li>
  );
}
