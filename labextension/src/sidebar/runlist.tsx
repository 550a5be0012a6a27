/** The runs themselves: select with mouse or keyboard, open one's menu. */
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { useNow, useUpdatesOf } from '../hooks';
import { openMenu } from '../menu';
import type { Clock } from '../model/clock';
import type { Trackside } from '../trackside';
import type { Run } from '../wire/protocol';
import { runActions } from './runmenu';
import { ROW_HEIGHT, RunRow, rowId } from './runrow';
import { VirtualList } from './virtuallist';

interface RunListProps {
  shown: readonly Run[];
  /** Whether what is shown is not what is asked for. */
  held: boolean;
  trackside: Trackside;
  clock: Clock;
  commands: CommandRegistry;
  compare: (ids: readonly string[]) => void;
}

export function RunList(props: RunListProps): React.JSX.Element {
  const { shown, trackside, clock, commands, compare } = props;
  const { runs, selection, colours, pointing, trans } = trackside;
  useUpdatesOf(pointing.changed);
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
  const menu = (id: string, x: number, y: number): void => {
    const run = shown.find(one => one.id === id);
    if (run) {
      setActiveId(id);
      const list = document.getElementById(rowId(id))?.closest<HTMLElement>('[role=listbox]');
      openMenu(runActions(run, trackside, commands), { x, y, focusAfter: list ?? null });
    }
  };
  const onKey = (event: React.KeyboardEvent, page: number): void => {
    const here = shown[active];
    const move = target(event.key, active, page, shown.length);
    if (move !== null) {
      activate(move);
    } else if (here && (event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey))) {
      const row = document.getElementById(rowId(here.id))?.getBoundingClientRect();
      menu(here.id, (row?.left ?? 0) + 40, row?.bottom ?? 0);
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
      label={trans.__('Runs')}
      held={props.held}
      active={active}
      idOf={index => rowId(shown[index]?.id ?? '')}
      onFocus={() => active < 0 && activate(0)}
      onKey={onKey}
      renderRow={index => {
        const run = shown[index] as Run;
        return (
          <RunRow
            key={run.id}
            {...{ run, now, trans }}
            position={index}
            count={shown.length}
            selected={selection.has(run.id)}
            active={index === active}
            namesake={runs.sharedNames.has(run.name)}
            style={colours.styleOf(run.id)}
            onToggle={toggle}
            pointed={pointing.run === run.id}
            onOpen={id => compare([id])}
            onMenu={menu}
            onPoint={id => pointing.at(id)}
          />
        );
      }}
    />
  );
}

/** The row that a key moves to; `null` when it is no key that moves. */
function target(key: string, active: number, page: number, count: number): number | null {
  const moves: Record<string, number> = {
    ArrowDown: active + 1,
    ArrowUp: active < 0 ? 0 : active - 1,
    PageDown: active + page,
    PageUp: active - page,
    Home: 0,
    End: count - 1
  };
  return moves[key] ?? null;
}
