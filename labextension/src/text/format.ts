/** Numbers, durations, times and prices as people read them. Pure functions. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { isOwn } from './cost';
import type { Json, Lease, Run } from '../wire/protocol';
import { beginningOf } from './looks';

/** A metric's value in at most about seven characters: `0.02313`, `1.2e-5`, `12,345`, `NaN`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
  }
  const size = Math.abs(value);
  let text: string;
  if (value === 0) {
    return '0';
  } else if (size < 1e-4 || size >= 1e9) {
    text = trimZeros(value.toExponential(3));
  } else if (Number.isInteger(value) || size >= 1e5) {
    text = Math.round(value).toLocaleString('en-US');
  } else {
    text = trimZeros(value.toPrecision(4));
  }
  return text.replace('-', '−').replace('e−', 'e-').replace('e+', 'e');
}

function trimZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(e|$)/, '$1$2').replace(/\.(e|$)/, '$1');
}

/** A whole count with separators: `1,024`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US');
}

/** The number a recorded value stands for, or `null` when it is none. JSON cannot spell NaN; the wire does. */
export function numberOf(value: Json | undefined): number | null {
  if (typeof value === 'number') {
    return value;
  }
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') {
    return Number(value);
  }
  return null;
}

/** A recorded value as one line of text. */
export function formatValue(value: Json | undefined): string {
  if (value === undefined) {
    return '';
  }
  const number = numberOf(value);
  if (number !== null) {
    return formatNumber(number);
  }
  return beginningOf(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Seconds as `0:07`, `12:03`, `1:04:09` or `2 d 3 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  if (hours >= 48) {
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  }
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** How long a run has taken, or takes until now, in seconds. */
export function runSeconds(run: Pick<Run, 'created' | 'finished'>, now: number): number {
  return Math.max(0, (run.finished ?? now) - run.created);
}

/** `14:02` today, `Nov 21, 14:02` before; local time. */
export function formatMoment(seconds: number, now: number): string {
  const date = new Date(seconds * 1000);
  const clock = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
  const today = new Date(now * 1000).toDateString() === date.toDateString();
  return today ? clock : `${date.toLocaleDateString([], { month: 'short', day: 'numeric' })}, ${clock}`;
}

/** `$2.70/h`, or `null` when no price is known: no price beats a wrong one. */
export function formatPrice(usdPerHour: number | null): string | null {
  if (usdPerHour === null) {
    return null;
  }
  return usdPerHour === 0 ? 'free' : `$${usdPerHour.toFixed(2)}/h`;
}

/** `≈ $2.70/h`, `free`, or why there is no price: what people read wherever something is about to cost money. */
export function describePrice(
  { usd_per_hour: usdPerHour, provider }: Pick<Lease, 'usd_per_hour' | 'provider'>,
  trans: TranslationBundle
): string {
  const price = formatPrice(usdPerHour);
  if (price === null) {
    return isOwn(provider) ? trans.__('your own machine: no price') : trans.__('no price known');
  }
  return usdPerHour === 0 ? trans.__('free') : `≈ ${price}`;
}

/** `31.5` of memory in GiB: one decimal below 100. */
export function formatGib(gib: number): string {
  return gib < 100 ? gib.toFixed(1) : gib.toFixed(0);
}

/** `A100-80GB`, `2 × L4`, `CPU`: the device as its makers write it. */
export function formatDevice(device: string, gpuCount: number): string {
  const name = device.toUpperCase();
  return gpuCount > 1 ? `${gpuCount} × ${name}` : name;
}

/** What the status bar says of the current notebook's kernel: `A100 · $2.70/h · 0:12`. Nothing that is not known. */
export function formatLease(lease: Lease, now: number): string {
  const price = lease.usd_per_hour ? formatPrice(lease.usd_per_hour) : null;
  const state = lease.state === 'ready' ? null : lease.state;
  return [formatDevice(lease.device, lease.gpus.length), state, price, formatDuration(now - lease.created)]
    .filter(part => part !== null)
    .join(' · ');
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.split('/').pop() ?? path;
}
