/** The sidebar's list of runs: filter, select, compare. */
import { InputGroup, ReactWidget } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import type { Clock } from '../model/clock';
import { filterRuns } from '../text/filter';
import { CommandIDs, type Trackside } from '../trackside';
import type { Run } from '../wire/protocol';
import { FeedNotice, NoMatch, NoRuns } from './notices';
import { ROW_HEIGHT, RunRow, rowId } from './runrow';
import { VirtualList } from './virtuallist';

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
  const [text, setText] = React.useState('');
  const shown = filterRuns(runs.list, text);
  const compare = (ids: readonly string[]): void => {
    void commands.execute(CommandIDs.openCompare, { runs: [...ids] });
  };

  return (
    <>
      <div className="jp-trackside-filter">
        <InputGroup
          type="search"
          className="jp-trackside-filterBox"
          placeholder={trans.__('Filter by name, tag, config…')}
          aria-label={trans.__('Filter runs')}
          value={text}
          rightIcon="ui-components:search"
          onChange={event => setText(event.currentTarget.value)}
        />
      </div>
      <FeedNotice feed={feed} problem={runs.problem} trans={trans} />
      {runs.loaded && runs.list.length === 0 && <NoRuns trans={trans} />}
      {runs.list.length > 0 && shown.length === 0 && (
        <NoMatch text={text} onClear={() => setText('')} trans={trans} />
      )}
      {shown.length > 0 && <RunList {...{ shown, trackside, clock, compare }} />}
      <SelectionBar trackside={trackside} shown={shown} compare={compare} />
    </>
  );
}

interface RunListProps {
  shown: readonly Run[];
  trackside: Trackside;
  clock: Clock;
  compare: (ids: readonly string[]) => void;
}

function RunList({ shown, trackside, clock, compare }: RunListProps): React.JSX.Element {
  const { selection, colours, trans } = trackside;
  const [activeId, setActiveId] = React.useState<string | null>(null);
  const now = useNow(
    clock,
    shown.some(run => run.finished === null && run.status === 'running')
  );
  const active = activeId === null ? -1 : shown.findIndex(run => run.id === activeId);
  const activate = (index: number): void => {
    setActiveId(shown[Math.max(0, Math.min(shown.length - 1, index))]?.id ?? null);
  };
  const toggle = (id: string): void => {
    setActiveId(id);
    selection.toggle(id);
  };
  const onKey = (event: React.KeyboardEvent, page: number): void => {
    const here = shown[active];
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active < 0 ? 0 : active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: shown.length - 1
    };
    const move = moves[event.key];
    if (move !== undefined) {
      activate(move);
    } else if (event.key === ' ' && here) {
      selection.toggle(here.id);
    } else if (event.key === 'Enter') {
      compare(selection.size > 0 ? selection.ids : here ? [here.id] : []);
    } else if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
      selection.set(shown.map(run => run.id));
    } else if (event.key === 'Escape' && selection.size > 0) {
      selection.set([]);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <VirtualList
      count={shown.length}
      rowHeight={ROW_HEIGHT}
      label={trans.__('Runs, newest first')}
      active={active}
      idOf={index => rowId(shown[index]?.id ?? '')}
      onFocus={() => active < 0 && activate(0)}
      onKey={onKey}
      renderRow={index => {
        const run = shown[index] as Run;
        return (
          <RunRow
            key={run.id}
            run={run}
            position={index}
            count={shown.length}
            selected={selection.has(run.id)}
            active={index === active}
            style={colours.styleOf(run.id)}
            now={now}
            trans={trans}
            onToggle={toggle}
            onOpen={id => compare([id])}
          />
        );
      }}
    />
  );
}

interface SelectionBarProps {
  trackside: Trackside;
  shown: readonly Run[];
  compare: (ids: readonly string[]) => void;
}

/** What can be done with the runs that are ticked. */
function SelectionBar({ trackside, shown, compare }: SelectionBarProps): React.JSX.Element {
  const { selection, trans, runs } = trackside;
  const count = selection.size;
  return (
    <div className="jp-trackside-actions">
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
