/** What stands above a comparison: x axis, y axis, zoom. */
import { HTMLSelect, ReactWidget, Toolbar } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { YScale } from '../charts/geometry';
import { useUpdatesOf } from '../hooks';
import type { XKind } from '../wire/protocol';
import type { CompareModel } from './comparemodel';
import { MetricSearchBox } from './metricsearchbox';
import { MOST_SMOOTHING } from './comparestate';
import type { CompareView } from './compareview';

/** Fills a toolbar for a comparison. */
export function fillToolbar(
  toolbar: Toolbar<Widget>,
  view: CompareView,
  model: CompareModel,
  trans: TranslationBundle
): void {
  const axes = ReactWidget.create(<Axes model={model} trans={trans} />);
  axes.addClass('jp-trackside-axes');
  toolbar.addItem('axes', axes);
  const search = ReactWidget.create(<MetricSearchBox model={model} trans={trans} />);
  search.addClass('jp-trackside-searchItem');
  toolbar.addItem('search', search);
  toolbar.addItem('spacer', Toolbar.createSpacerItem());
  // Not JupyterLab's ToolbarButton: its aria-pressed is none of a button's own attributes (axe: aria-allowed-attr).
  toolbar.addItem('reset', ReactWidget.create(<Reset view={view} trans={trans} />));
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

function Axes({ model, trans }: { model: CompareModel; trans: TranslationBundle }): React.JSX.Element {
  useUpdatesOf(model.changed);
  const { x, y, smoothing } = model.state;
  return (
    <>
      <label>
        <span>{trans.__('X axis')}</span>
        <HTMLSelect
          className="jp-trackside-select"
          value={x}
          data-axis="x"
          aria-label={trans.__('X axis')}
          onChange={event => model.update({ x: event.currentTarget.value as XKind })}
        >
          <option value="step">{trans.__('Step')}</option>
          <option value="relative">{trans.__('Time since start')}</option>
          <option value="time">{trans.__('Time of day')}</option>
        </HTMLSelect>
      </label>
      <label>
        <span>{trans.__('Y axis')}</span>
        <HTMLSelect
          className="jp-trackside-select"
          value={y}
          data-axis="y"
          aria-label={trans.__('Y axis')}
          onChange={event => model.update({ y: event.currentTarget.value as YScale })}
        >
          <option value="linear">{trans.__('Linear')}</option>
          <option value="log">{trans.__('Logarithmic')}</option>
        </HTMLSelect>
      </label>
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
    </>
  );
}
