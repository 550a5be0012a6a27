/** What a literal means: a number, a moment, a span. The same as `kernel_magics/store/filters/literals.py`. */

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const SPAN = /^([+-]?)(\d+(?:\.\d+)?)(s|m|h|d|w)$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?(Z|[+-]\d\d:\d\d)?$/;

/** `0.1`, `1e-3`, `nan`, `-inf`; `null` for no number. */
export function numberLiteral(text: string): number | null {
  if (/^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/.test(text)) {
    return Number(text);
  }
  if (text.toLowerCase() === 'nan') {
    return NaN;
  }
  if (/^[+-]?inf(inity)?$/i.test(text)) {
    return text.startsWith('-') ? -Infinity : Infinity;
  }
  return null;
}

/** `90`, `90s`, `1.5h`, `2d`, `1w`, in seconds. */
export function spanLiteral(text: string): number | null {
  const found = SPAN.exec(text);
  if (!found) {
    const value = numberLiteral(text);
    return value !== null && Number.isFinite(value) ? value : null;
  }
  return Number(`${found[1]}${found[2]}`) * (SECONDS[found[3] as string] as number);
}

/** A stretch of time in seconds since the epoch; the end does not belong to it. */
export type Moment = readonly [number, number];

/** `2026-11-01`, `2026-11-01T14:30Z`, `today`, `yesterday`, `now`, `-2d`; local time without a zone. */
export function momentLiteral(text: string, now: number): Moment | null {
  const word = text.toLowerCase();
  if (word === 'today' || word === 'yesterday') {
    const today = new Date(now * 1000);
    const day = today.getDate() - (word === 'yesterday' ? 1 : 0);
    const midnight = (date: number): number =>
      new Date(today.getFullYear(), today.getMonth(), date).getTime() / 1000;
    return [midnight(day), midnight(day + 1)];
  }
  if (word === 'now') {
    return [now, now];
  }
  const ago = SPAN.exec(text);
  if (ago?.[1] === '-') {
    const at = now - Number(ago[2]) * (SECONDS[ago[3] as string] as number);
    return [at, at];
  }
  return date(text);
}

function date(text: string): Moment | null {
  const found = DATE.exec(text);
  if (!found) {
    return null;
  }
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map(i => Number(found[i] ?? 0)) as [
    number, number, number, number, number, number
  ]; // prettier-ignore
  const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (
    year < 1 ||
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > last ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  ) {
    return null;
  }
  const at = (days: number, seconds: number): number | null => {
    const zone = found[7];
    if (zone === undefined) {
      return new Date(year, month - 1, day + days, hour, minute, second + seconds).getTime() / 1000;
    }
    const utc = Date.UTC(year, month - 1, day + days, hour, minute, second + seconds) / 1000;
    return utc - offset(zone);
  };
  const [first, end] = [at(0, 0), found[4] ? at(0, found[6] ? 1 : 60) : at(1, 0)];
  return first === null || end === null ? null : [first, end];
}

function offset(zone: string): number {
  if (zone === 'Z') {
    return 0;
  }
  const seconds = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4)) * 60;
  return zone.startsWith('-') ? -seconds : seconds;
}
