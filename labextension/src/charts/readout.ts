/** What the pointer reads from a chart. Pure functions. */
import { formatCount, formatDuration, formatNumber } from '../text/format';
import type { SeriesWindow, WindowGroup } from '../wire/decode';
import type { XAxis } from '../wire/protocol';
import { nearest } from './geometry';

/** One run at one place. */
export interface Reading {
  run: string;
  /** Where the bucket that was read is, in units of x. */
  x: number;
  /** For sorting; NaN last. */
  value: number;
  /** The value as original points spell it: `0.0231`. */
  text: string;
  /** `1 of 1,024 points: 0.01 … 2.3` where a bucket stands for several, else "". */
  behind: string;
}

/**
 * What a run says at the point nearest to `at`, or `null` when its points end further away than `reach` (both in
 * units of x). Between two points the nearer one is read, however far apart they lie.
 */
export function read(window: SeriesWindow, at: number, reach: number): Reading | null {
  const i = nearest(window.x, at);
  const x = window.x[i];
  if (x === undefined || (Math.abs(x - at) > reach && !isBetween(window.x, at))) {
    return null;
  }
  const count = window.count[i] ?? 1;
  const value = valueAt(window, i);
  const behind = window.group ? groupText(window, window.group, i) : behindText(window, i, count);
  return { run: window.run, x, value, text: formatNumber(value), behind };
}

/** Whether there are points on both sides of `at`. */
function isBetween(x: Float64Array, at: number): boolean {
  return x.some(one => one < at) && x.some(one => one > at);
}

/** A bucket's last value; where none was finite, what stands there instead. */
function valueAt(window: SeriesWindow, i: number): number {
  const last = window.last[i] ?? NaN;
  if (Number.isNaN(last) && !window.nan[i]) {
    return window.posinf[i] ? Infinity : window.neginf[i] ? -Infinity : NaN;
  }
  return last;
}

function behindText(window: SeriesWindow, i: number, count: number): string {
  if (count <= 1) {
    return '';
  }
  return `1 of ${formatCount(count)} points: ${rangeText(window, i)}`;
}

/** A mean says of how many runs it is, and how far these lie apart. */
function groupText(window: SeriesWindow, { members, std, runs }: WindowGroup, i: number): string {
  const of = members[i] === runs.length ? formatCount(runs.length) : `${members[i] ?? 0} of ${runs.length}`;
  const spread = (members[i] ?? 0) > 1 ? ` ± ${formatNumber(std[i] ?? NaN)}` : '';
  const what = `mean${spread} of ${of} ${runs.length === 1 ? 'run' : 'runs'}`;
  const points = formatCount(window.count[i] ?? 0);
  return `${what}, ${points} points: ${rangeText(window, i)}`;
}

/** Least, greatest, and how many values are none. */
function rangeText(window: SeriesWindow, i: number): string {
  const odd = (['nan', 'posinf', 'neginf'] as const)
    .map(kind => [window[kind][i] ?? 0, { nan: 'NaN', posinf: '∞', neginf: '−∞' }[kind]] as const)
    .filter(([n]) => n > 0)
    .map(([n, name]) => `, ${formatCount(n)} × ${name}`)
    .join('');
  const [min, max] = [window.min[i] ?? NaN, window.max[i] ?? NaN];
  return `min ${formatNumber(min)} … max ${formatNumber(max)}${odd}`;
}

/** Greatest first, as the lines lie in the chart; what is not a number last. */
export function byValue(a: Reading, b: Reading): number {
  if (Number.isNaN(a.value) || Number.isNaN(b.value)) {
    return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
  }
  return a.value === b.value ? 0 : b.value > a.value ? 1 : -1;
}

/** A place on the x axis in words: `step 1,200`, `0:42`, `Nov 22, 14:02:07`, `epoch 2.5`. */
export function formatX(x: number, kind: XAxis): string {
  switch (kind) {
    case 'step':
      return `step ${formatNumber(x)}`;
    case 'relative':
      return x < 10 ? `${formatNumber(x)} s` : formatDuration(x);
    case 'time':
      return new Date(x * 1000).toLocaleString('en-GB', {
        day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit'
      }); // prettier-ignore
    default:
      return `${kind} ${formatNumber(x)}`;
  }
}

/** The labels of ticks that lie together on an axis. */
export function tickLabels(ticks: readonly number[], kind: XAxis): string[] {
  const gap = ticks.length > 1 ? Math.abs((ticks[1] as number) - (ticks[0] as number)) : 1;
  switch (kind) {
    case 'step':
      return ticks.map(tick => (gap < 1 && !Number.isInteger(tick) ? '' : formatNumber(tick)));
    case 'relative':
      return ticks.map(tick => (gap < 1 ? `${formatNumber(tick)} s` : signed(tick)));
    case 'time':
      return ticks.map(tick => clockLabel(tick, gap));
    default:
      return ticks.map(formatNumber);
  }
}

const signed = (seconds: number): string =>
  seconds < 0 ? `−${formatDuration(-seconds)}` : formatDuration(seconds);

function clockLabel(seconds: number, gap: number): string {
  const date = new Date(seconds * 1000);
  if (gap >= 86_400) {
    return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  }
  const clock = { hour: '2-digit', minute: '2-digit' } as const;
  return date.toLocaleTimeString('en-GB', gap < 60 ? { ...clock, second: '2-digit' } : clock);
}
