/** The run table in the main area. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { Attention } from '../model/attention';
import type { Clock } from '../model/clock';
import { FeedNotice, NoMatch, NoRuns } from '../sidebar/notices';
import { CommandIDs, type Trackside } from '../trackside';
import { TableBar } from './tablebar';
import { TableGrid } from './tablegrid';
import type { TableModel } from './tablemodel';

export interface RunTableOptions {
  trackside: Trackside;
  model: TableModel;
  commands: CommandRegistry;
}

export class RunTableView extends ReactWidget {
  constructor(private readonly options: RunTableOptions) {
    super();
    this.addClass('jp-trackside-runTable');
    const { feed, views } = options.trackside;
    this.clock = new Attention(this, { feed, wake: () => void views.refresh() }).clock;
  }

  protected override render(): React.JSX.Element {
    return <RunTable {...this.options} clock={this.clock} />;
  }

  private readonly clock: Clock;
}

function RunTable({
  trackside,
  model,
  commands,
  clock
}: RunTableOptions & { clock: Clock }): React.JSX.Element {
  const { runs, selection, feed, colours, editor, views, trans } = trackside;
  useUpdatesOf(runs.changed, selection.changed, feed.stateChanged, colours.changed);
  useUpdatesOf(model.changed, editor.changed, views.changed);
  const compare = (ids: readonly string[]): void => {
    void commands.execute(CommandIDs.openCompare, { ...model.state.charts, runs: [...ids] });
  };
  const { rows } = model.arrangement;
  return (
    <>
      <TableBar {...{ trackside, model, compare }} />
      <FeedNotice feed={feed} problem={runs.problem} trans={trans} />
      {runs.loaded && runs.list.length === 0 && <NoRuns trans={trans} />}
      {runs.list.length > 0 && rows.length === 0 && (
        <NoMatch text={model.filter.text} onClear={() => model.update({ filter: '' })} trans={trans} />
      )}
      {rows.length > 0 && <TableGrid {...{ trackside, model, clock, commands, compare }} />}
    </>
  );
}
