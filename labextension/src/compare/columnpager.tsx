/** Says which runs stand side by side, where they are more than there are columns, and turns to the others. */
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { RUNS_AT_ONCE, type RunColumns } from './runcolumns';

interface ColumnPagerProps {
  columns: RunColumns;
  trans: TranslationBundle;
}

export function ColumnPager({ columns, trans }: ColumnPagerProps): React.JSX.Element | null {
  useUpdatesOf(columns.changed);
  const { first, count } = columns;
  const last = Math.min(count, first + RUNS_AT_ONCE);
  if (count <= RUNS_AT_ONCE) {
    return null;
  }
  return (
    <div className="jp-trackside-pager">
      <button
        className="jp-trackside-iconButton"
        disabled={first === 0}
        aria-label={trans.__('The runs before')}
        onClick={() => columns.turn(-1)}
      >
        ‹
      </button>
      <span aria-live="polite">{trans.__('Runs %1 to %2 of %3', first + 1, last, count)}</span>
      <button
        className="jp-trackside-iconButton"
        disabled={last === count}
        aria-label={trans.__('The runs after')}
        onClick={() => columns.turn(1)}
      >
        ›
      </button>
    </div>
  );
}
