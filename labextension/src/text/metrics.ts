/** Which of a run's numbers stand in its row. Pure functions. */
import type { Metric, Run } from '../wire/protocol';
import { formatNumber, numberOf } from './format';

const FIRST = [
  'loss',
  'train/loss',
  'train_loss',
  'val/loss',
  'val_loss',
  'accuracy',
  'acc',
  'val/acc',
  'val_acc'
];

/** The names of the run's last values, the usual ones first, then as recorded. */
export function leadingMetrics(run: Run, most: number): string[] {
  const names = Object.keys(run.summary).filter(name => numberOf(run.summary[name]) !== null);
  const rank = (name: string): number => {
    const found = FIRST.indexOf(name.toLowerCase());
    return found < 0 ? FIRST.length : found;
  };
  return names
    .map((name, index) => ({ name, key: rank(name) * 1e6 + index }))
    .sort((a, b) => a.key - b.key)
    .slice(0, most)
    .map(entry => entry.name);
}

/**
 * The last value of a metric. One that has ever been a fraction is shown as one: an accuracy of 1 is `1.0`, an epoch is `1`.
 * (JSON does not tell the two apart in a browser.)
 */
export function formatMetric(run: Run, name: string): string {
  const value = numberOf(run.summary[name]);
  if (value === null) {
    return '';
  }
  const text = formatNumber(value);
  const [low, high] = Object.hasOwn(run.extremes, name) ? (run.extremes[name] ?? []) : [];
  const fraction = [low, high].some(one => typeof one === 'number' && !Number.isInteger(one));
  return fraction && /^−?\d$/.test(text) ? `${text}.0` : text;
}

/** `loss 0.0231`, ready to show. */
export function lastValues(run: Run, most: number): { name: string; text: string }[] {
  return leadingMetrics(run, most).map(name => ({
    name,
    text: formatMetric(run, name)
  }));
}

/** Names of inferred metrics that every run which has them logged under the same name as well (`repeated_metrics` in Python). */
export function repeatedMetrics(metrics: readonly Metric[]): ReadonlySet<string> {
  const logged = new Map(metrics.filter(one => one.source === 'logged').map(one => [one.name, one.runs]));
  const repeated = metrics.filter(
    one => one.source === 'inferred' && one.runs.every(run => logged.get(one.name)?.includes(run))
  );
  return new Set(repeated.map(one => one.name));
}
