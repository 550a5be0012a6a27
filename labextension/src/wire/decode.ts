/** Windows as typed arrays. Pure functions. */
import type { EncodedArray, EncodedWindow, XAxis } from './protocol';

/** A decoded {@link EncodedWindow}: what a chart draws. Arrays are of one length. */
export interface SeriesWindow {
  readonly run: string;
  readonly metric: string;
  readonly xKind: XAxis;
  readonly raw: boolean;
  readonly points: number;
  readonly x: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly first: Float64Array;
  readonly last: Float64Array;
  readonly count: Int32Array;
  readonly nan: Int32Array;
  readonly posinf: Int32Array;
  readonly neginf: Int32Array;
  /** Of a group of runs; `null` of one run. */
  readonly group: WindowGroup | null;
}

/** What stands behind a mean: see `EncodedWindow.group`. */
export interface WindowGroup {
  readonly runs: readonly string[];
  readonly members: Int32Array;
  readonly std: Float64Array;
}

/** The bytes of an encoded array, in memory of their own and so aligned for any element type. */
function bytesOf(encoded: EncodedArray): ArrayBuffer {
  const text = atob(encoded.base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    bytes[i] = text.charCodeAt(i);
  }
  return bytes.buffer;
}

/**
 * Decodes to doubles, whatever was sent.
 *
 * Every platform a browser runs on is little-endian, as the wire is.
 */
export function decodeFloats(encoded: EncodedArray): Float64Array {
  const buffer = bytesOf(encoded);
  return encoded.dtype === 'float64' ? new Float64Array(buffer) : Float64Array.from(new Int32Array(buffer));
}

/** Decodes counts. */
export function decodeCounts(encoded: EncodedArray): Int32Array {
  const buffer = bytesOf(encoded);
  return encoded.dtype === 'int32' ? new Int32Array(buffer) : Int32Array.from(new Float64Array(buffer));
}

export function decodeWindow(encoded: EncodedWindow): SeriesWindow {
  return {
    run: encoded.run,
    metric: encoded.metric,
    xKind: encoded.x_kind,
    raw: encoded.raw,
    points: encoded.points,
    x: decodeFloats(encoded.x),
    min: decodeFloats(encoded.min),
    max: decodeFloats(encoded.max),
    first: decodeFloats(encoded.first),
    last: decodeFloats(encoded.last),
    count: decodeCounts(encoded.count),
    nan: decodeCounts(encoded.nan),
    posinf: decodeCounts(encoded.posinf),
    neginf: decodeCounts(encoded.neginf),
    group: encoded.group
      ? {
          runs: encoded.group.runs,
          members: decodeCounts(encoded.group.members),
          std: decodeFloats(encoded.group.std)
        }
      : null
  };
}
