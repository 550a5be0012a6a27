/** Which media of which run are shown at a step. Pure functions. */
import type { Medium } from '../wire/protocol';

/** Media of one name, run by run. */
export interface MediaRow {
  metric: string;
  /** One a run: its items of the last step that is not after the chosen one; empty before its first. */
  cells: Medium[][];
}

const nameOf = (item: Medium): string => item.metric ?? '';
const stepOf = (item: Medium): number => item.step ?? 0;

/** Every step at which a run has something to look at, rising. */
export function mediaSteps(media: readonly (readonly Medium[])[]): number[] {
  return [...new Set(media.flat().map(stepOf))].sort((a, b) => a - b);
}

/** In the order in which the runs first name them. */
export function mediaRows(media: readonly (readonly Medium[])[], step: number): MediaRow[] {
  const names = new Set(media.flat().map(nameOf));
  return [...names].map(metric => ({
    metric,
    cells: media.map(items => {
      const until = items.filter(item => nameOf(item) === metric && stepOf(item) <= step);
      const last = Math.max(...until.map(stepOf));
      return latestOf(until.filter(item => stepOf(item) === last));
    })
  }));
}

/** What was logged again at a step replaces what was there: the last list of items counts. */
function latestOf(items: readonly Medium[]): Medium[] {
  const at = items.map(item => (typeof item.more['index'] === 'number' ? item.more['index'] : 0));
  const start = at.lastIndexOf(0);
  return items.slice(Math.max(0, start));
}
