/** What a chart shows as comma-separated values (RFC 4180). Pure functions. */
import type { Extent } from '../charts/geometry';
import type { SeriesWindow } from '../wire/decode';
import type { Metric } from '../wire/protocol';

const COLUMNS = ['run', 'name', 'metric', 'source'];
const VALUES = ['value', 'min', 'max', 'points', 'nan', 'posinf', 'neginf'];

/**
 * One row a drawn point: its last value, and what stands behind it. Numbers are spelled in full.
 *
 * @param view only points in it are seen.
 * @param smoothed by run, the same smoothed; empty for none.
 */
export function csvOf(
  metric: Pick<Metric, 'name' | 'source'>,
  windows: readonly SeriesWindow[],
  view: Extent,
  nameOf: (run: string) => string,
  smoothed: ReadonlyMap<string, SeriesWindow> = new Map()
): string {
  const kind = windows[0]?.xKind ?? 'step';
  const extra = smoothed.size > 0 ? ['smoothed'] : [];
  const rows = [[...COLUMNS, kind, ...VALUES, ...extra]];
  for (const window of windows) {
    const whose = [window.run, nameOf(window.run), metric.name, metric.source].map(cell);
    const means = smoothAt(smoothed.get(window.run));
    window.x.forEach((x, i) => {
      if (x >= view.start && x <= view.end) {
        const columns = [window.min, window.max, window.count, window.nan, window.posinf, window.neginf];
        const numbers = columns.map(column => number(column[i]));
        const mean = extra.map(() => number(means.get(x)));
        rows.push([...whose, String(x), valueText(window, i), ...numbers, ...mean]);
      }
    });
  }
  return rows.map(row => row.join(',') + '\r\n').join('');
}

function smoothAt(window: SeriesWindow | undefined): ReadonlyMap<number, number> {
  return new Map(window ? Array.from(window.x, (x, i) => [x, window.last[i] ?? NaN]) : []);
}

/** Nothing where there is no finite value. */
function number(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '' : String(value);
}

function valueText(window: SeriesWindow, i: number): string {
  const last = window.last[i] ?? NaN;
  if (Number.isNaN(last) && !window.nan[i]) {
    return window.posinf[i] ? 'inf' : window.neginf[i] ? '-inf' : '';
  }
  return Number.isNaN(last) ? 'nan' : String(last);
}

/** A text as a field. What a spreadsheet would take for a formula gets an apostrophe before it (OWASP: CSV injection). */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
