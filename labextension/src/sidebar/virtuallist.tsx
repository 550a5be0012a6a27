/** A list of which only the rows in view exist, so that 10,000 rows scroll as 10 do. */
import * as React from 'react';

import { useHeight } from '../hooks';

/** Rows drawn beyond each edge, so that a quick scroll finds them there. */
const OVERSCAN = 6;

export interface VirtualListProps {
  count: number;
  /** Of every row, in pixels. */
  rowHeight: number;
  label: string;
  /** Whether what is listed is not what is asked for. */
  held: boolean;
  /** Index of the row the keyboard is on, -1 for none. */
  active: number;
  idOf: (index: number) => string;
  renderRow: (index: number) => React.ReactNode;
  onKey: (event: React.KeyboardEvent, rowsPerPage: number) => void;
  onFocus: () => void;
}

/** A multi-selectable listbox: the keyboard focus stays on the list, `aria-activedescendant` names the row. */
export function VirtualList(props: VirtualListProps): React.JSX.Element {
  const { active, rowHeight, count } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const [top, setTop] = React.useState(0);
  const height = useHeight(node, []);

  React.useLayoutEffect(() => {
    const list = node.current;
    if (!list || active < 0) {
      return;
    }
    const [above, below] = [active * rowHeight, (active + 1) * rowHeight];
    if (above < list.scrollTop) {
      list.scrollTop = above;
    } else if (below > list.scrollTop + list.clientHeight) {
      list.scrollTop = below - list.clientHeight;
    }
  }, [active, rowHeight]);

  const first = Math.max(0, Math.min(Math.floor(top / rowHeight), count) - OVERSCAN);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + OVERSCAN);
  const rows: React.ReactNode[] = [];
  for (let index = first; index < last; index++) {
    rows.push(props.renderRow(index));
  }
  return (
    <div
      ref={node}
      className={`jp-trackside-list${props.held ? ' jp-mod-held' : ''}`}
      role="listbox"
      aria-multiselectable="true"
      aria-label={props.label}
      aria-activedescendant={active >= 0 && active < count ? props.idOf(active) : undefined}
      tabIndex={0}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
      onFocus={props.onFocus}
      onKeyDown={event => props.onKey(event, Math.max(1, Math.floor(height / rowHeight) - 1))}
    >
      <div role="presentation" className="jp-trackside-listSpace" style={{ height: count * rowHeight }}>
        <div role="presentation" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
