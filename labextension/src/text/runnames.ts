/** How runs are called where several have one name. As `run_labels` of `kernel_magics/figures/table.py`. Pure functions. */
import type { Run } from '../wire/protocol';
import { lookOf } from './looks';

type Named = Pick<Run, 'id' | 'name'>;

/** The end of an id: its beginning is the time at which the run was made. */
export const shortId = (id: string): string => id.slice(-6);

/** Names that more than one of these runs has, or that nobody can tell from another one's by looking. */
export function sharedNames(runs: readonly Named[]): ReadonlySet<string> {
  const counts = new Map<string, number>();
  runs.forEach(({ name }) => counts.set(lookOf(name), (counts.get(lookOf(name)) ?? 0) + 1));
  return new Set(runs.map(({ name }) => name).filter(name => (counts.get(lookOf(name)) ?? 0) > 1));
}

/** What each run is called beside the others: its name, with the end of its id where another has the same. */
export function runLabels(runs: readonly Named[]): ReadonlyMap<string, string> {
  const shared = sharedNames(runs);
  return new Map(
    runs.map(({ id, name }) => [id, shared.has(name) ? `${name} (${shortId(id)})` : name || id] as const)
  );
}

/** The names of those of these runs that have one of these ids, in the order of the runs. */
export function namesOf(runs: readonly Named[], ids: readonly string[]): string[] {
  return runs.filter(({ id }) => ids.includes(id)).map(({ id, name }) => name || id);
}
