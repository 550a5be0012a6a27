/**
 * Which runs a filter text means. Pure functions.
 *
 * Every word must occur somewhere in what the run is called, tagged and configured with. The typed filter language
 * (`config.lr < 0.1 and …`) belongs in the store; this is the as-you-type search over what the panel already has.
 */
import type { Run } from '../wire/protocol';
import { formatValue } from './format';

const haystacks = new WeakMap<Run, string>();

/** Everything of a run that a filter looks at, in lower case; made once per run object. */
function haystackOf(run: Run): string {
  let text = haystacks.get(run);
  if (text === undefined) {
    const config = Object.entries(run.config).map(([key, value]) => `${key}=${formatValue(value)}`);
    const facts = [run.facts['notebook'], run.facts['host']].map(value => formatValue(value));
    text = [run.name, run.project, run.group ?? '', ...run.tags, run.status, run.id, ...config, ...facts]
      .join('\n')
      .toLowerCase();
    haystacks.set(run, text);
  }
  return text;
}

/** The runs that contain every word of `text`, in the same order. An empty text means all. */
export function filterRuns(runs: readonly Run[], text: string): readonly Run[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) {
    return runs;
  }
  return runs.filter(run => {
    const haystack = haystackOf(run);
    return words.every(word => haystack.includes(word));
  });
}
