/** What survives of a comparison: its runs, its axes, its layout. Pure functions. */
import type { Band, YScale } from '../charts/geometry';
import type { JsonObject, XAxis, XKind } from '../wire/protocol';

/** The parts of a comparison that can be folded. */
export type SectionName =
  'notes' | 'metrics' | 'inferred' | 'system' | 'events' | 'table' | 'media' | 'code' | 'outputs';

export interface CompareState {
  runs: readonly string[];
  x: XAxis;
  y: YScale;
  /** What runs are grouped by (see `rungroups.ts`); `null`: each run by itself. */
  groupBy: string | null;
  /** What the band around a group's mean shows. */
  band: Band;
  /** Weight of the past in the moving average, from 0 (none) to {@link MOST_SMOOTHING}. */
  smoothing: number;
  onlyDifferences: boolean;
  /** The run that the others are compared with; `null` for none (of sources: the first). */
  baseline: string | null;
  /** What somebody wrote about it. */
  notes: string;
  /** Whether sources stand side by side. */
  split: boolean;
  /** Which metrics are shown: words, or a regular expression between slashes. */
  search: string;
  /** Keys of the metrics that stand first, in this order. */
  pinned: readonly string[];
  /** What is folded: sections by name, their parts as `metrics/train`. */
  folded: readonly string[];
}

/** Characters of notes. */
export const LONGEST_NOTES = 100_000;

/** Beyond this a curve of a thousand points says nothing about any of them. */
export const MOST_SMOOTHING = 0.99;

export const X_KINDS: readonly XKind[] = ['step', 'relative', 'time'];
const SECTIONS: readonly unknown[] = [
  'notes',
  'metrics',
  'inferred',
  'system',
  'events',
  'table',
  'media',
  'code',
  'outputs'
];

/** A state from a command's arguments or a saved layout; what is missing or wrong takes its default. */
export function stateFrom(args: JsonObject, defaultX: XKind): CompareState {
  const strings = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
  return {
    runs: [...new Set(strings(args['runs']))],
    x: text(args['x']) ?? defaultX,
    y: args['y'] === 'log' ? 'log' : 'linear',
    groupBy: text(args['groupBy']),
    band: args['band'] === 'std' ? 'std' : 'range',
    smoothing: smoothingFrom(args['smoothing']),
    onlyDifferences: args['onlyDifferences'] === true,
    baseline: text(args['baseline']),
    notes: (text(args['notes']) ?? '').slice(0, LONGEST_NOTES),
    split: args['split'] === true,
    search: typeof args['search'] === 'string' ? args['search'] : '',
    pinned: [...new Set(strings(args['pinned']))],
    folded: strings(args['folded']).filter(name => SECTIONS.includes(name.split('/')[0]))
  };
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

function smoothingFrom(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(value, MOST_SMOOTHING) : 0;
}
