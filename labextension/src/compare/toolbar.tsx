/** What stands above a comparison: axes, groups, smoothing, search, zoom. */
import { HTMLSelect, ReactWidget, Toolbar } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { Band, YScale } from '../charts/geometry';
import { useUpdatesOf } from '../hooks';
import type { Trackside } from '../trackside';
import type { CompareModel } from './comparemodel';
import { MOST_SMOOTHING, X_KINDS } from './comparestate';
import type { CompareView } from './compareview';
import { openLayoutMenu } from './layoutmenu';
import { MetricSearchBox } from './metricsearchbox';
import { openReportMenu } from './report';
import { groupingKeys } from './rungroups';

/** Fills a toolbar for a comparison. */
export function fillToolbar(
  toolbar: Toolbar<Widget>,
  view: CompareView,
  model: CompareModel,
  trackside: Trackside
): void {
  const { trans } = trackside;
  const controls = (name: string, content: React.JSX.Element): void => {
    const widget = ReactWidget.create(content);
    widget.addClass('jp-trackside-axes');
    toolbar.addItem(name, widget);
  };
  controls('x', <XAxisChoice model={model} trans={trans} />);
  controls('y', <YAxisChoice model={model} trans={trans} />);
  controls('groups', <GroupChoice model={model} trackside={trackside} />);
  // Where the room ends, JupyterLab puts the rest behind a button: the last come first.
  toolbar.addItem('layout', ReactWidget.create(<Layout model={model} trans={trans} />));
  // Not JupyterLab's ToolbarButton: its aria-pressed is none of a button's own attributes (axe: aria-allowed-attr).
  toolbar.addItem('report', ReactWidget.create(<Report model={model} trackside={trackside} />));
  controls('smoothing', <Smoothing model={model} trans={trans} />);
  const search = ReactWidget.create(<MetricSearchBox model={model} trans={trans} />);
  search.addClass('jp-trackside-searchItem');
  toolbar.addItem('search', search);
  toolbar.addItem('spacer', Toolbar.createSpacerItem());
  toolbar.addItem('reset', ReactWidget.create(<Reset view={view} trans={trans} />));
}

interface ControlProps {
  model: CompareModel;
  trans: TranslationBundle;
}

interface ChoiceProps {
  label: string;
  /** What is seen of the label where it is shorter: the toolbar is narrow. */
  short?: string;
  /** `data-axis`, for tests and styles. */
  name: string;
  value: string;
  onChoose: (value: string) => void;
  children: React.ReactNode;
}

function Choice({ label, short = label, name, value, onChoose, children }: ChoiceProps): React.JSX.Element {
  return (
    <label>
      <span title={label}>{short}</span>
      <HTMLSelect
        className="jp-trackside-select"
        value={value}
        data-axis={name}
        aria-label={label}
        onChange={event => onChoose(event.currentTarget.value)}
      >
        {children}
      </HTMLSelect>
    </label>
  );
}

function Reset({ view, trans }: { view: CompareView; trans: TranslationBundle }): React.JSX.Element {
  return (
    <button
      className="jp-trackside-link jp-trackside-reset"
      title={trans.__('Show everything. Drag in a chart or Ctrl + wheel to zoom, double-click to reset.')}
      onClick={() => view.resetZoom()}
    >
      {trans.__('Reset zoom')}
    </button>
  );
}

function Report({ model, trackside }: { model: CompareModel; trackside: Trackside }): React.JSX.Element {
  const { trans } = trackside;
  useUpdatesOf(model.changed);
  return (
    <button
      className="jp-trackside-link jp-trackside-report"
      aria-haspopup="menu"
      disabled={model.state.runs.length === 0}
      title={trans.__('Save charts, results, outputs and notes as one file')}
      onClick={event => openReportMenu(event.currentTarget, model, trackside)}
    >
      {trans.__('Report')}
    </button>
  );
}

/** Steps, times, and every metric that somebody logged. A metric named like one of the former cannot be chosen. */
function XAxisChoice({ model, trans }: ControlProps): React.JSX.Element {
  useUpdatesOf(model.changed, model.metricsRead);
  const { x } = model.state;
  const kinds: readonly string[] = X_KINDS;
  const logged = (model.metrics ?? [])
    .filter(metric => metric.source === 'logged')
    .map(metric => metric.name);
  const names = new Set([...logged, x].filter(name => !kinds.includes(name)));
  return (
    <Choice
      name="x"
      short="X"
      label={trans.__('X axis')}
      value={x}
      onChoose={value => model.update({ x: value })}
    >
      <option value="auto">{trans.__('Automatic')}</option>
      <option value="step">{trans.__('Step')}</option>
      <option value="relative">{trans.__('Time since start')}</option>
      <option value="time">{trans.__('Time of day')}</option>
      {names.size > 0 && (
        <optgroup label={trans.__('Metrics')}>
          {[...names].sort().map(name => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </optgroup>
      )}
    </Choice>
  );
}

function YAxisChoice({ model, trans }: ControlProps): React.JSX.Element {
  useUpdatesOf(model.changed);
  const choose = (value: string): void => model.update({ y: value as YScale });
  return (
    <Choice name="y" short="Y" label={trans.__('Y axis')} value={model.state.y} onChoose={choose}>
      <option value="linear">{trans.__('Linear')}</option>
      <option value="log">{trans.__('Logarithmic')}</option>
    </Choice>
  );
}

function GroupChoice({ model, trackside }: { model: CompareModel; trackside: Trackside }): React.JSX.Element {
  const { runs, trans } = trackside;
  useUpdatesOf(model.changed, runs.changed);
  const { groupBy, band } = model.state;
  const known = model.state.runs.flatMap(id => runs.get(id) ?? []);
  const keys = groupingKeys(known);
  const shown = groupBy === null || keys.includes(groupBy) ? keys : [...keys, groupBy];
  return (
    <>
      <Choice
        name="group"
        short={trans.__('Group')}
        label={trans.__('Group by')}
        value={groupBy ?? ''}
        onChoose={value => model.update({ groupBy: value === '' ? null : value })}
      >
        <option value="">{trans.__('Nothing')}</option>
        {shown.length === 0 && <option disabled>{whyNone(known.length, trans)}</option>}
        {shown.map(key => (
          <option key={key} value={key}>
            {key}
          </option>
        ))}
      </Choice>
      {groupBy !== null && (
        <Choice
          name="band"
          label={trans.__('Band')}
          value={band}
          onChoose={value => model.update({ band: value as Band })}
        >
          <option value="range">{trans.__('Least to greatest')}</option>
          <option value="std">{trans.__('Standard deviation')}</option>
        </Choice>
      )}
    </>
  );
}

function Layout({ model, trans }: ControlProps): React.JSX.Element {
  useUpdatesOf(model.changed);
  return (
    <button
      className="jp-trackside-link jp-trackside-layout"
      aria-haspopup="menu"
      title={trans.__('One plot for all runs or one each, and the size of charts')}
      onClick={event => openLayoutMenu(event.currentTarget, model, trans)}
    >
      {trans.__('Layout')}
    </button>
  );
}

/** Why these runs cannot be grouped: what all share makes one group, what is different in each makes none. */
function whyNone(runs: number, trans: TranslationBundle): string {
  return runs < 3
    ? trans.__('Groups need three runs or more')
    : trans.__('No key, tag or group is shared by some of these runs and not by all');
}

function Smoothing({ model, trans }: ControlProps): React.JSX.Element {
  useUpdatesOf(model.changed);
  const { smoothing } = model.state;
  return (
    <label>
      <span>{trans.__('Smoothing')}</span>
      <input
        type="range"
        className="jp-trackside-slider"
        min={0}
        max={MOST_SMOOTHING}
        step={0.01}
        value={smoothing}
        aria-label={trans.__('Smoothing')}
        title={trans.__('Weight of the past in a moving average; what was recorded stays faint behind.')}
        onChange={event => model.update({ smoothing: event.currentTarget.valueAsNumber })}
      />
      <output>{smoothing.toFixed(2)}</output>
    </label>
  );
}
