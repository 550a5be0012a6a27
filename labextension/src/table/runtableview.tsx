/** The run table in the main area. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { Clock } from '../model/clock';
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

/** Holds the feed open and its clock ticking only while it can be seen. */
export class RunTableView extends ReactWidget {
  constructor(private readonly options: RunTableOptions) {
    super();
    this.addClass('jp-trackside-runTable');
  }

  override dispose(): void {
    this.rest();
    super.dispose();
  }

  protected override render(): React.JSX.Element {
    return <RunTable {...this.options} clock={this.clock} />;
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.wake();
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    if (this.isVisible) {
      this.wake();
    }
  }

  protected override onBeforeHide(msg: Message): void {
    this.rest();
    super.onBeforeHide(msg);
  }

  protected override onBeforeDetach(msg: Message): void {
    this.rest();
    super.onBeforeDetach(msg);
  }

  private wake(): void {
    this.held ??= this.options.trackside.feed.hold();
    this.clock.start();
    void this.options.trackside.views.refresh();
  }

  private rest(): void {
    this.held?.dispose();
    this.held = null;
    this.clock.stop();
  }

  private readonly clock = new Clock();
  private held: IDisposable | null = null;
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
