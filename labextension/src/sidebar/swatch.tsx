/** The key of a run's line: its colour and its dash. */
import * as React from 'react';

import type { LineStyle } from '../model/palette';

const DASH_ARRAYS = { solid: undefined, dashed: '4 2', dotted: '1.5 2' };

export function Swatch({ style }: { style: LineStyle }): React.JSX.Element {
  return (
    <svg className="jp-trackside-swatch" width="14" height="10" viewBox="0 0 14 10" aria-hidden="true">
      <line
        x1="0"
        x2="14"
        y1="5"
        y2="5"
        stroke={style.colour}
        strokeWidth="4"
        strokeDasharray={DASH_ARRAYS[style.dash]}
      />
    </svg>
  );
}
