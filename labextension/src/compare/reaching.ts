/**
 * Which types of an output are shown at once. Text, pictures and sanitized HTML are; a renderer of another extension is
 * only when nothing in the data could make it ask another machine, else when somebody says so. Pure functions.
 */
import type { Json, Output } from '../wire/protocol';

/** Types whose renderers load nothing by themselves. */
const QUIET = /^(?:text\/(?:html|markdown|latex|plain)|image\/.+|application\/(?:json|vnd\.jupyter\..+))$/;
/** What makes plots load: addresses, and words under which plotting libraries keep or compute them. */
const REACHING = /\/\/|\\\\|https?:|url|src|href|source|signal|expr|usermeta/i;

export interface ShownOutput {
  output: Output;
  /** Types that wait until somebody wants them. */
  withheld: string[];
}

export interface ShowingOptions {
  /** Whether there is a renderer for a type that may be used for what nobody vouches for. */
  renders: (mime: string) => boolean;
  /** What is said where none of the types can be shown. */
  said: (mimes: string) => string;
  /** Somebody wants all of it. */
  all: boolean;
}

export function shownOf(output: Output, { renders, said, all }: ShowingOptions): ShownOutput {
  const data = output['data'];
  if (data === undefined || data === null || typeof data !== 'object' || Array.isArray(data)) {
    return { output, withheld: [] };
  }
  const mimes = Object.keys(data);
  const waits = (mime: string): boolean => !QUIET.test(mime) && renders(mime) && reaches(data[mime] ?? null);
  const withheld = all ? [] : mimes.filter(waits);
  const kept = mimes.filter(mime => !withheld.includes(mime));
  if (mimes.length > 0 && !kept.some(renders)) {
    return { output: { ...output, data: { 'text/plain': said(mimes.join(', ')) } }, withheld };
  }
  return {
    output: { ...output, data: Object.fromEntries(kept.map(mime => [mime, data[mime] ?? null])) },
    withheld
  };
}

function reaches(value: Json): boolean {
  const named = value !== null && typeof value === 'object' && !Array.isArray(value);
  // The language of a plot has an address for a name.
  return REACHING.test(JSON.stringify(named ? { ...value, $schema: null } : value));
}
