/** In which order the runs of the sidebar stand. */
import { HTMLSelect } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { orderBy, sortableMetrics, type SortKey, type SortOrder } from '../text/sort';
import type { Run } from '../wire/protocol';

interface SortBarProps {
  runs: readonly Run[];
  order: SortOrder;
  onChange: (order: SortOrder) => void;
  trans: TranslationBundle;
}

export function SortBar({ runs, order, onChange, trans }: SortBarProps): React.JSX.Element {
  const metrics = React.useMemo(() => sortableMetrics(runs), [runs]);
  const direction = order.descending ? trans.__('descending') : trans.__('ascending');
  return (
    <div className="jp-trackside-sort">
      <HTMLSelect
        className="jp-trackside-select"
        value={order.by}
        aria-label={trans.__('Sort runs by')}
        onChange={event => onChange(orderBy(event.currentTarget.value as SortKey))}
      >
        <option value="started">{trans.__('Started')}</option>
        <option value="name">{trans.__('Name')}</option>
        {metrics.map(name => (
          <option key={name} value={`metric:${name}`}>
            {name}
          </option>
        ))}
      </HTMLSelect>
      <button
        className="jp-trackside-iconButton"
        title={direction}
        aria-label={trans.__('Sorted %1', direction)}
        onClick={() => onChange({ ...order, descending: !order.descending })}
      >
        {order.descending ? '↓' : '↑'}
      </button>
    </div>
  );
}
