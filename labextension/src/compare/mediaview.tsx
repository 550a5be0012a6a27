/** What the runs logged to look at, side by side, with one slider for the step of all. */
import { ReactWidget } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { useUpdatesOf } from '../hooks';
import { Swatch } from '../sidebar/swatch';
import { formatCount } from '../text/format';
import type { Trackside } from '../trackside';
import type { Api } from '../wire/api';
import { ApiError } from '../wire/errors';
import type { Medium } from '../wire/protocol';
import type { ByRun } from './byrun';
import { ColumnPager } from './columnpager';
import { MediumView } from './mediumview';
import type { RunColumns } from './runcolumns';
import type { RunLabels } from './runlabels';
import { mediaRows, mediaSteps, type MediaRow } from './mediasteps';

export interface MediaViewProps {
  trackside: Trackside;
  columns: RunColumns;
  media: ByRun<Medium[]>;
  labels: RunLabels;
}

export class MediaView extends ReactWidget {
  constructor(private readonly props: MediaViewProps) {
    super();
    this.addClass('jp-trackside-media');
  }

  protected override render(): React.JSX.Element {
    return <Media {...this.props} />;
  }
}

/** Lists of media, run by run. */
export async function mediaOf(api: Api, ids: readonly string[]): Promise<Map<string, Medium[]>> {
  const gone = (error: unknown): Medium[] => {
    if (error instanceof ApiError && error.status === 404) {
      return []; // deleted in the meantime
    }
    throw error;
  };
  const lists = await Promise.all(ids.map(id => api.media(id).catch(gone)));
  return new Map(ids.map((id, index) => [id, lists[index] ?? []]));
}

function Media({ trackside, columns, media, labels }: MediaViewProps): React.JSX.Element {
  const { runs, trans, colours } = trackside;
  useUpdatesOf(media.changed, columns.changed, runs.changed, colours.changed);
  const ids = columns.ids.filter(id => media.get(id));
  const all = ids.map(id => media.get(id) ?? []);
  const steps = mediaSteps(all);
  // `null` follows the newest step, also while runs go on.
  const [chosen, choose] = React.useState<number | null>(null);
  const last = steps.length - 1;
  const at = chosen === null ? last : steps.filter(step => step <= chosen).length - 1;
  const step = steps[Math.max(0, at)] ?? 0;
  if (media.problem !== null) {
    return <p className="jp-trackside-problem">{media.problem}</p>;
  }
  const slide = (index: number): void => choose(index === last ? null : (steps[index] ?? null));
  if (steps.length === 0) {
    return (
      <>
        <ColumnPager {...{ columns, trans }} />
        <p className="jp-trackside-hint">{trans.__('These runs logged nothing to look at.')}</p>
      </>
    );
  }
  return (
    <>
      <ColumnPager {...{ columns, trans }} />
      <label className="jp-trackside-mediaStep">
        <span>{trans.__('Step')}</span>
        <input
          type="range"
          min={0}
          max={Math.max(0, last)}
          step={1}
          value={Math.max(0, at)}
          disabled={last < 1}
          aria-label={trans.__('Step of what is shown')}
          aria-valuetext={formatCount(step)}
          onChange={event => slide(event.currentTarget.valueAsNumber)}
        />
        <output>{formatCount(step)}</output>
      </label>
      <div
        className="jp-trackside-tableScroll"
        tabIndex={0}
        role="region"
        aria-label={trans.__('Media side by side')}
      >
        <table>
          <thead>
            <tr>
              <th scope="col" />
              {ids.map(id => (
                <th key={id} scope="col">
                  <Swatch style={colours.styleOf(id)} /> {labels.of(id)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {mediaRows(all, step).map(row => (
              <Row key={row.metric} {...{ row, ids, step, trackside, trans }} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

interface RowProps {
  row: MediaRow;
  ids: readonly string[];
  step: number;
  trackside: Trackside;
  trans: TranslationBundle;
}

function Row({ row, ids, step, trackside, trans }: RowProps): React.JSX.Element {
  return (
    <tr data-media={row.metric}>
      <th scope="row" title={row.metric}>
        {row.metric}
      </th>
      {row.cells.map((items, index) => {
        const run = ids[index] ?? '';
        const shown = items[0]?.step ?? null;
        return (
          <td key={run} data-run-id={run}>
            {items.length === 0 && <span className="jp-trackside-absent">–</span>}
            {shown !== null && shown !== step && (
              <div className="jp-trackside-kind">{trans.__('of step %1', formatCount(shown))}</div>
            )}
            {items.map((item, place) => (
              <MediumView key={place} {...{ run, item, trackside }} />
            ))}
          </td>
        );
      })}
    </tr>
  );
}
