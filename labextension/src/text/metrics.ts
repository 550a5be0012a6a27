/** Which of a run's numbers stand in its row. Pure functions. */
import type { Run } from '../wire/protocol';
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

/** `loss 0.0231`, ready to show. */
export function lastValues(run: Run, most: number): { name: string; text: string }[] {
  return leadingMetrics(run, most).map(name => ({
    name,
    text: formatNumber(numberOf(run.summary[name]) ?? NaN)
  }));
}
