/** Runs in groups, by what they have in common. Pure functions. */
import { canonical, flatten } from './differences';
import type { Json, Run } from '../wire/protocol';
import { formatValue } from '../text/format';

export interface RunGroup {
  /** What its runs have in common, ready to show. */
  label: string;
  /** Ids; the first one lends the group its colour. */
  runs: string[];
}

/** What runs can be grouped by besides `config.…`. */
export const GROUP_FIELDS = ['group', 'project', 'tags', 'name'] as const;
const CONFIG = 'config.';

/** What tells these runs apart, and can so be grouped by: fields first, then keys of the configuration. */
export function groupingKeys(runs: readonly Run[]): string[] {
  const flats = runs.map(run => flatten(run.config));
  const keys = new Set(flats.flatMap(flat => [...flat.keys()]));
  const candidates = [...GROUP_FIELDS, ...[...keys].map(key => CONFIG + key)];
  return candidates.filter(by => {
    const parts = groupsOf(runs, by).length;
    return parts > 1 && (parts < runs.length || by === 'group');
  });
}

/** In the order in which the runs come; runs without the key are a group of their own. */
export function groupsOf(runs: readonly Run[], by: string): RunGroup[] {
  const groups = new Map<string, RunGroup>();
  for (const run of runs) {
    const value = valueOf(run, by);
    const key = value === undefined ? '' : canonical(value);
    const group = groups.get(key) ?? { label: labelOf(by, value), runs: [] };
    group.runs.push(run.id);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function valueOf(run: Run, by: string): Json | undefined {
  switch (by) {
    case 'group':
      return run.group ?? undefined;
    case 'project':
      return run.project;
    case 'tags':
      return [...run.tags].sort().join(', ');
    case 'name':
      return run.name;
    default:
      return flatten(run.config).get(by.startsWith(CONFIG) ? by.slice(CONFIG.length) : by);
  }
}

/** `lr = 0.1`; a field's value says by itself what it is. */
function labelOf(by: string, value: Json | undefined): string {
  const text = value === undefined || value === '' ? '–' : formatValue(value);
  const key = by.startsWith(CONFIG) ? by.slice(CONFIG.length) : by;
  return by === 'name' ? text : `${key} = ${text}`;
}
