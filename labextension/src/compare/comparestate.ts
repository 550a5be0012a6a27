/** What survives of a comparison: its runs, its axes, its layout. Pure functions. */
import type { Band, YScale } from '../charts/geometry';
import type { JsonObject, XChoice, XKind } from '../wire/protocol';

/** The parts of a comparison that can be folded. */
export type SectionName =
  'notes' | 'metrics' | 'inferred' | 'system' | 'events' | 'table' | 'media' | 'code' | 'outputs';

/** How large charts are; `style/compare.css` says what each means. */
export const CHART_SIZES = ['small', 'medium', 'large'] as const;
export type ChartSize = (typeof CHART_SIZES)[number];

/** The size that one chart was given: columns of the grid, and pixels of its plot. */
export interface OwnSize {
  columns: number;
  height: number;
}

/** Bounds of an {@link OwnSize}. */
export const MOST_COLUMNS = 6;
export const LEAST_HEIGHT = 100;
export const MOST_HEIGHT = 1200;

export interface CompareState {
  runs: readonly string[];
  x: XChoice;
  y: YScale;
  /** What runs are grouped by (see `rungroups.ts`); `null`: each run by itself. */
  groupBy: string | null;
  /** Whether each run (or group) has a plot of its own, instead of one for all. */
  apart: boolean;
  /** Of charts that were given none of their own. */
  size: ChartSize;
  /** By a metric's key. */
  sizes: Readonly<Record<string, OwnSize>>;
  /** What the band around a group's mean shows. */
  band: Band;
  /** Weight of the past in the moving average, from 0 (none) to {@link MOST_SMOOTHING}. */
  smoothing: number;
  onlyDifferences: boolean;
  /** Whether inferred metrics are shown that were logged under the same name as well. */
  inferred: boolean;
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

export const X_KINDS: readonly (XKind | 'auto')[] = ['auto', 'step', 'relative', 'time'];
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
export function stateFrom(
  args: JsonObject,
  defaultX: XKind | 'auto',
  defaultSize: ChartSize = 'medium'
): CompareState {
  const strings = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
  return {
    runs: [...new Set(strings(args['runs']))],
    x: text(args['x']) ?? defaultX,
    y: args['y'] === 'log' ? 'log' : 'linear',
    groupBy: text(args['groupBy']),
    apart: args['apart'] === true,
    size: CHART_SIZES.find(size => size === args['size']) ?? defaultSize,
    sizes: sizesFrom(args['sizes']),
    band: args['band'] === 'std' ? 'std' : 'range',
    smoothing: smoothingFrom(args['smoothing']),
    onlyDifferences: args['onlyDifferences'] === true,
    inferred: args['inferred'] === true,
    baseline: text(args['baseline']),
    notes: (text(args['notes']) ?? '').slice(0, LONGEST_NOTES),
    split: args['split'] === true,
    search: typeof args['search'] === 'string' ? args['search'] : '',
    pinned: [...new Set(strings(args['pinned']))],
    folded: strings(args['folded']).filter(name => SECTIONS.includes(name.split('/')[0]))
  };
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

function sizesFrom(value: unknown): Record<string, OwnSize> {
  const entries = value !== null && typeof value === 'object' ? Object.entries(value) : [];
  const sizes = entries.flatMap(([key, size]: [string, unknown]) => {
    const { columns, height } = (size ?? {}) as Partial<Record<keyof OwnSize, unknown>>;
    const valid = Number.isFinite(columns) && Number.isFinite(height);
    return valid
      ? [[key, boundedSize({ columns: columns as number, height: height as number })] as const]
      : [];
  });
  return Object.fromEntries(sizes);
}

/** The nearest size that a chart can have. */
export function boundedSize({ columns, height }: OwnSize): OwnSize {
  return {
    columns: Math.min(MOST_COLUMNS, Math.max(1, Math.round(columns))),
    height: Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, Math.round(height)))
  };
}

function smoothingFrom(value: unknown): number {
  return typeof value === 'number' && value > 0 ? Math.min(value, MOST_SMOOTHING) : 0;
}
