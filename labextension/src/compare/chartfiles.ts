/** What a chart can be taken away as: data, a picture. */
import type { SharedAxis } from '../charts/sharedaxis';
import { csvOf } from '../text/csv';
import type { Trackside } from '../trackside';
import type { SeriesWindow } from '../wire/decode';
import type { Metric } from '../wire/protocol';
import { chartPicture, saveFile } from './chartpicture';
import type { Grouping } from './grouping';
import type { Plots } from './plots';

export interface ChartContent {
  metric: Metric;
  axis: SharedAxis;
  windows: readonly SeriesWindow[];
  smoothed: ReadonlyMap<string, SeriesWindow>;
}

export function saveCsv({ metric, axis, windows, smoothed }: ChartContent, grouping: Grouping): void {
  const text = csvOf(metric, windows, axis.view, run => grouping.nameOf(run), smoothed);
  saveFile(new Blob([text], { type: 'text/csv;charset=utf-8' }), `${metric.name}.csv`);
}

export interface PictureOptions {
  trackside: Trackside;
  grouping: Grouping;
  plots: Plots;
  /** Where colours and font are taken from. */
  host: HTMLElement;
  /** Whether each plot says whose it is. */
  titled: boolean;
}

/** A PNG; raises an `Error` while there is no chart. */
export async function pictureOf({ metric, windows }: ChartContent, options: PictureOptions): Promise<Blob> {
  const { trackside, grouping, plots, host, titled } = options;
  const canvas = await plots.snapshot();
  if (!canvas) {
    throw new Error(trackside.trans.__('There is no chart yet.'));
  }
  const named = titled ? [] : windows;
  const keys = named.map(({ run }) => ({
    name: grouping.nameOf(run),
    style: trackside.colours.styleOf(run)
  }));
  return chartPicture(canvas, metric.name, keys, host);
}
