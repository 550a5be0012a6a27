/** The sidebar's list of runs: filter, select, compare. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import type { Clock } from '../model/clock';
import { FilterBox } from '../filter/filterbox';
import { filtered, NO_FILTER, retyped, suspects } from '../filter/runfilter';
import { listViews } from '../table/viewsmenu';
import { NEWEST_FIRST, sortRuns } from '../text/sort';
import { CommandIDs, type Trackside } from '../trackside';
import type { Run } from '../wire/protocol';
import { FeedNotice, NoMatch, NoRuns } from './notices';
import { RunList } from './runlist';
import { SortBar } from './sortbar';

export interface RunsSectionProps {
  trackside: Trackside;
  commands: CommandRegistry;
  clock: Clock;
}

export class RunsSection extends ReactWidget {
  constructor(private readonly props: RunsSectionProps) {
    super();
    this.addClass('jp-trackside-runs');
  }

  protected override render(): React.JSX.Element {
    return <Runs {...this.props} />;
  }
}

function Runs({ trackside, commands, clock }: RunsSectionProps): React.JSX.Element {
  const { runs, selection, feed, trans, colours } = trackside;
  useUpdatesOf(runs.changed, selection.changed, feed.stateChanged, colours.changed);
  const [filter, setFilter] = React.useState(NO_FILTER);
  const list = runs.list;
  const setText = (text: string): void => setFilter(before => retyped(before, text, list));
  const [order, setOrder] = React.useState(NEWEST_FIRST);
  const sorted = React.useMemo(() => sortRuns(list, order), [list, order]);
  const shown = React.useMemo(
    () => filtered(sorted, filter.expression, clock.now),
    [sorted, filter.expression, clock]
  );
  const compare = (ids: readonly string[]): void => {
    void commands.execute(CommandIDs.openCompare, { runs: [...ids] });
  };

  return (
    <>
      <FilterBox
        filter={filter}
        runs={list}
        suspects={suspects(list, shown, filter.expression)}
        onChange={setText}
        trans={trans}
      />
      {runs.list.length > 1 && <SortBar runs={runs.list} order={order} onChange={setOrder} trans={trans} />}
      <FeedNotice feed={feed} problem={runs.problem} trans={trans} />
      {runs.loaded && runs.list.length === 0 && <NoRuns trans={trans} />}
      {runs.list.length > 0 && shown.length === 0 && (
        <NoMatch text={filter.text} onClear={() => setText('')} trans={trans} />
      )}
      {shown.length > 0 && (
        <RunList held={filter.mistake !== null} {...{ shown, trackside, clock, commands, compare }} />
      )}
      <SelectionBar
        {...{ trackside, shown, compare }}
        openTable={view => void commands.execute(CommandIDs.openTable, view === undefined ? {} : { view })}
      />
    </>
  );
}

interface SelectionBarProps {
  trackside: Trackside;
  shown: readonly Run[];
  compare: (ids: readonly string[]) => void;
  /** With a saved view, or as it was. */
  openTable: (view?: string) => void;
}

/** What can be done with the runs that are ticked. */
function SelectionBar({ trackside, shown, compare, openTable }: SelectionBarProps): React.JSX.Element {
  const { selection, trans, runs } = trackside;
  const count = selection.size;
  return (
    <div className="jp-trackside-actions">
      <button
        className="jp-trackside-link"
        title={trans.__('All runs as a table: columns, groups, edits, saved views')}
        onClick={() => openTable()}
      >
        {trans.__('Table')}
      </button>
      <button
        className="jp-trackside-link"
        aria-haspopup="menu"
        title={trans.__('Saved views')}
        onClick={event => void listViews(trackside, event.currentTarget, view => openTable(view))}
      >
        {trans.__('Views')}
      </button>
      <span className="jp-trackside-count" aria-live="polite">
        {count > 0
          ? trans._n('%1 selected', '%1 selected', count)
          : shown.length === runs.list.length
            ? trans._n('%1 run', '%1 runs', shown.length)
            : trans.__('%1 of %2 runs', shown.length, runs.list.length)}
      </span>
      {count > 0 && (
        <button className="jp-trackside-link" onClick={() => selection.set([])}>
          {trans.__('Clear')}
        </button>
      )}
      <button
        className="jp-mod-styled jp-mod-accept jp-trackside-compareButton"
        disabled={count === 0}
        title={count === 0 ? trans.__('Tick runs to compare them') : ''}
        onClick={() => compare(selection.ids)}
      >
        {trans.__('Compare')}
      </button>
    </div>
  );
}
