/** One run in the sidebar: two lines of fixed height. */
import { ellipsesIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { LineStyle } from '../model/palette';
import { formatDuration, formatMoment, runSeconds } from '../text/format';
import { lastValues } from '../text/metrics';
import { shortId } from '../text/runnames';
import { beginningOf } from '../text/looks';
import type { Run } from '../wire/protocol';
import { StatusIcon, statusLabel } from './status';
import { Swatch } from './swatch';

/** Of a row, in pixels; the style sheet says the same. */
export const ROW_HEIGHT = 46;

export interface RunRowProps {
  run: Run;
  position: number;
  count: number;
  selected: boolean;
  active: boolean;
  /** Whether another run has its name. */
  namesake: boolean;
  /** Whether somebody points at the run, here or in a comparison. */
  pointed: boolean;
  style: LineStyle;
  now: number;
  trans: TranslationBundle;
  onToggle: (id: string) => void;
  onOpen: (id: string) => void;
  /** The menu of a run is wanted at a place of the page. */
  onMenu: (id: string, x: number, y: number) => void;
  /** The pointer is over it, or over nothing (`null`). */
  onPoint: (id: string | null) => void;
}

export const rowId = (run: string): string => `trackside-run-${run}`;

export function RunRow(props: RunRowProps): React.JSX.Element {
  const { run, trans } = props;
  const classes = ['jp-trackside-run'];
  if (props.pointed) {
    classes.push('jp-mod-pointed');
  }
  if (props.active) {
    classes.push('jp-mod-active');
  }
  return (
    <div
      id={rowId(run.id)}
      className={classes.join(' ')}
      data-run-id={run.id}
      data-status={run.status}
      role="option"
      aria-selected={props.selected}
      aria-posinset={props.position + 1}
      aria-setsize={props.count}
      title={rowTitle(run, props.now, trans)}
      onClick={() => props.onToggle(run.id)}
      onDoubleClick={() => props.onOpen(run.id)}
      onContextMenu={event => {
        event.preventDefault();
        event.stopPropagation(); // JupyterLab would open its own menu
        props.onMenu(run.id, event.clientX, event.clientY);
      }}
      onMouseEnter={() => props.onPoint(run.id)}
      onMouseLeave={() => props.onPoint(null)}
    >
      <Tick on={props.selected} />
      <Swatch style={props.style} />
      <span className="jp-trackside-runTitle">
        <span className="jp-trackside-runName">
          {run.pinned && <PinMark />}
          {run.name || run.id}
        </span>
        {props.namesake && <ShortId run={run.id} />}
      </span>
      <StatusIcon status={run.status} />
      <RunDetail run={run} now={props.now} trans={trans} />
      <span
        className="jp-trackside-runMore"
        title={trans.__('More (Shift+F10)')}
        aria-hidden="true"
        onClick={event => {
          event.stopPropagation();
          props.onMenu(run.id, event.clientX, event.clientY);
        }}
      >
        <ellipsesIcon.react tag={null} width="14px" height="14px" />
      </span>
    </div>
  );
}

/** Tells runs of one name apart. */
export function ShortId({ run }: { run: string }): React.JSX.Element {
  return <span className="jp-trackside-shortId">{shortId(run)}</span>;
}

/** Says that a run is pinned. */
export function PinMark(): React.JSX.Element {
  return (
    <svg className="jp-trackside-pin" viewBox="0 0 12 12" aria-hidden="true">
      <path d="M4 1h4l-.6 4L9 7H6.5L6 11l-.5-4H3l1.6-2z" />
    </svg>
  );
}

/** Looks like a checkbox and is none: the row itself is what is selected, and nothing else in it takes the focus. */
export function Tick({ on }: { on: boolean }): React.JSX.Element {
  return (
    <svg className="jp-trackside-tick" data-on={on || undefined} viewBox="0 0 14 14" aria-hidden="true">
      <rect x="0.5" y="0.5" width="13" height="13" rx="2.5" />
      {on && <path d="M3 7.2 6 10l5-6" />}
    </svg>
  );
}

function RunValue({ name, text }: { name: string; text: string }): React.JSX.Element {
  return (
    <span className="jp-trackside-runValue" data-summary={name}>
      <span className="jp-trackside-runMetric">{name}</span> <b>{text}</b>
    </span>
  );
}

/** The second line: the first last value, always seen; the duration; where there is room the state and other values. */
function RunDetail({ run, now, trans }: Pick<RunRowProps, 'run' | 'now' | 'trans'>): React.JSX.Element {
  const [first, ...others] = lastValues(run, 3);
  return (
    <span className="jp-trackside-runDetail">
      {first && <RunValue {...first} />}
      <span className="jp-trackside-runTime">{formatDuration(runSeconds(run, now))}</span>
      <span className="jp-trackside-runState">{statusLabel(run.status, trans)}</span>
      {others.map(value => (
        <RunValue key={value.name} {...value} />
      ))}
    </span>
  );
}

function rowTitle(run: Run, now: number, trans: TranslationBundle): string {
  const lines = [
    run.name,
    `${run.project} · ${run.id}`,
    trans.__('Started %1', formatMoment(run.created, now)),
    beginningOf(run.status_detail, 300),
    run.tags.length > 0 ? run.tags.map(tag => `#${tag}`).join(' ') : '',
    beginningOf(run.notes, 300)
  ];
  return lines.filter(Boolean).join('\n');
}
