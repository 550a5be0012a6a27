/** What metrics came to, side by side, and how far from the baseline. Pure functions. */
import { formatNumber, numberOf } from '../text/format';
import type { MetricSummary, Spelled } from '../wire/protocol';

export type Kind = 'last' | 'min' | 'max';
export const KINDS: readonly Kind[] = ['last', 'min', 'max'];

export interface ResultCell {
  text: string;
  /** The step at which it was so; `null` when there is no value. */
  step: number | null;
  /** `+0.012 (+4.1 %)`; "" for the baseline itself, without one, and where there is nothing to subtract. */
  difference: string;
  /** Whether it is better or worse than the baseline; `null` when nobody said what is better, or it is the same. */
  better: boolean | null;
  /** Whether this is the best value of its run. */
  best: boolean;
}

export interface ResultRow {
  metric: string;
  kind: Kind;
  /** One a run, `null` where the run lacks the metric. */
  cells: (ResultCell | null)[];
  differs: boolean;
}

/**
 * Rows of logged and inferred metrics in the order in which the runs first name them.
 *
 * @param summaries of each run; `undefined` where they are not known yet.
 * @param baseline which of them the others are compared with, -1 for none.
 */
export function resultRows(
  summaries: readonly (readonly MetricSummary[] | undefined)[],
  baseline: number
): ResultRow[] {
  const all = summaries.flatMap(one => one ?? []).filter(({ source }) => source !== 'system');
  const keys = new Map(all.map(one => [keyOf(one), one] as const));
  return [...keys].flatMap(([key, { name, source }]) => {
    const ours = summaries.map(one => one?.find(summary => keyOf(summary) === key) ?? null);
    const metric = source === 'inferred' ? `${name} (inferred)` : name;
    return KINDS.map(kind => rowOf(metric, kind, ours, ours[baseline] ?? null));
  });
}

const keyOf = ({ name, source }: MetricSummary): string => `${source}:${name}`;

function rowOf(
  metric: string,
  kind: Kind,
  summaries: readonly (MetricSummary | null)[],
  baseline: MetricSummary | null
): ResultRow {
  const cells = summaries.map(summary => summary && cellOf(summary, kind, baseline));
  const texts = new Set(cells.map(cell => cell?.text));
  return { metric, kind, cells, differs: texts.size > 1 };
}

function cellOf(summary: MetricSummary, kind: Kind, baseline: MetricSummary | null): ResultCell {
  const value = valueOf(summary[kind]);
  const from = baseline && baseline !== summary ? valueOf(baseline[kind]) : NaN;
  const difference = value - from;
  const lowerIsBetter = (summary.better ?? baseline?.better) === 'lower';
  const judged = (summary.better ?? baseline?.better) && Number.isFinite(difference) && difference !== 0;
  return {
    text: summary[kind] === null ? '' : formatNumber(value),
    step: summary[kind] === null ? null : summary[`${kind}_step`],
    difference: differenceText(value, from),
    better: judged ? difference < 0 === lowerIsBetter : null,
    best: kind === (summary.better === 'lower' ? 'min' : summary.better === 'higher' ? 'max' : null)
  };
}

function valueOf(value: Spelled | null): number {
  return numberOf(value) ?? NaN;
}

/** The difference, and its share of what it is compared with; "" when one of them is no finite number. */
export function differenceText(value: number, from: number): string {
  const difference = value - from;
  if (!Number.isFinite(difference)) {
    return '';
  }
  if (difference === 0) {
    return '±0';
  }
  const signed = (n: number): string => `${n > 0 ? '+' : ''}${formatNumber(n)}`;
  const percent = (100 * difference) / Math.abs(from);
  return Number.isFinite(percent)
    ? `${signed(difference)} (${signed(Number(percent.toPrecision(3)))} %)`
    : signed(difference);
}
