/** The search over metric names in a comparison's toolbar. */
import { InputGroup } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { metricSearch } from '../text/metricsearch';
import type { CompareModel } from './comparemodel';

interface MetricSearchBoxProps {
  model: CompareModel;
  trans: TranslationBundle;
}

export function MetricSearchBox({ model, trans }: MetricSearchBoxProps): React.JSX.Element {
  useUpdatesOf(model.changed);
  const { search } = model.state;
  const meant = metricSearch(search);
  return (
    <InputGroup
      type="search"
      className="jp-trackside-metricSearch"
      placeholder={trans.__('Metrics: words or /regex/')}
      aria-label={trans.__('Search metrics')}
      aria-invalid={meant.kind === 'bad'}
      title={meant.kind === 'bad' ? meant.why : ''}
      value={search}
      onChange={event => model.update({ search: event.currentTarget.value })}
    />
  );
}
