/** What a comparison says when there is nothing to compare, or the server does not answer. */
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { FeedNotice } from '../sidebar/notices';
import { metricSearch } from '../text/metricsearch';
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
      <SearchNotice {...{ trackside, model }} />
      {model.state.runs.length > 0 && model.metrics?.length === 0 && (
        <p className="jp-trackside-hint">
          {trans.__('These runs have logged no metric yet: run.log({"loss": …}) makes a chart.')}
        </p>
      )}
    </>
  );
}

/** What keeps a search from being understood. */
function SearchNotice({ trackside, model }: CompareNoticeProps): React.JSX.Element | null {
  const meant = metricSearch(model.state.search);
  return meant.kind === 'bad' ? (
    <p className="jp-trackside-problem" role="status">
      {trackside.trans.__('This search is no regular expression, so all metrics are shown: %1', meant.why)}
    </p>
  ) : null;
}
