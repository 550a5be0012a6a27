/** Inferred metrics that were logged under the same name as well: they say nothing new, and are shown when asked for. */
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { repeatedMetrics } from '../text/metrics';
import type { Trackside } from '../trackside';
import type { CompareModel } from './comparemodel';

/** Names that the sentence lists. */
const MOST_NAMES = 8;

interface RepeatedProps {
  trackside: Trackside;
  model: CompareModel;
}

/** Says which they are, and shows or hides them. */
export class RepeatedNotice extends ReactWidget {
  constructor(private readonly props: RepeatedProps) {
    super();
    this.addClass('jp-trackside-repeated');
  }

  protected override render(): React.JSX.Element {
    return <Repeated {...this.props} />;
  }
}

function Repeated({ trackside, model }: RepeatedProps): React.JSX.Element | null {
  const { trans } = trackside;
  useUpdatesOf(model.changed, model.metricsRead);
  const names = [...repeatedMetrics(model.metrics ?? [])];
  if (names.length === 0) {
    return null;
  }
  const some = names.slice(0, MOST_NAMES).join(', ') + (names.length > MOST_NAMES ? ' …' : '');
  const { inferred } = model.state;
  return (
    <p className="jp-trackside-hint">
      {inferred
        ? trans.__('Read from output although they were logged as well: %1.', some)
        : trans.__('Also read from output, and not shown again: %1.', some)}{' '}
      <button className="jp-trackside-link" onClick={() => model.update({ inferred: !inferred })}>
        {inferred ? trans.__('Hide them') : trans.__('Show them')}
      </button>
    </p>
  );
}
