/** What a comparison says when there is nothing to compare, or the server does not answer. */
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { FeedNotice } from '../sidebar/notices';
import type { Trackside } from '../trackside';
import type { CompareModel } from './comparemodel';

export interface CompareNoticeProps {
  trackside: Trackside;
  model: CompareModel;
}

export class CompareNotice extends ReactWidget {
  constructor(private readonly props: CompareNoticeProps) {
    super();
    this.addClass('jp-trackside-compareNotice');
  }

  protected override render(): React.JSX.Element {
    return <Notice {...this.props} />;
  }
}

function Notice({ trackside, model }: CompareNoticeProps): React.JSX.Element {
  const { feed, trans } = trackside;
  useUpdatesOf(feed.stateChanged, model.changed, model.metricsRead);
  return (
    <>
      <FeedNotice feed={feed} problem={model.problem} trans={trans} />
      {model.state.runs.length === 0 && (
        <p className="jp-trackside-hint">
          {trans.__('No runs here. Tick some in the Trackside sidebar, then press Compare.')}
        </p>
      )}
      {model.state.runs.length > 0 && model.metricCount === 0 && (
        <p className="jp-trackside-hint">
          {trans.__('These runs have logged no metric yet: run.log({"loss": …}) makes a chart.')}
        </p>
      )}
    </>
  );
}
