/** What a run's facts say of code and environment. Facts come from anywhere: nothing is taken to have a shape. */
import type { Json, JsonObject, Run } from '../wire/protocol';

export interface GitFacts {
  commit: string | null;
  branch: string | null;
  /** `null` when git could not say. */
  dirty: boolean | null;
  diff: string;
  /** Whether the recorded diff is only its beginning. */
  cut: boolean;
}

const textOf = (value: Json | undefined): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

function objectOf(value: Json | undefined): JsonObject | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
}

/** The source of the tracked cell. */
export function sourceOf(run: Run): string | null {
  return textOf(run.facts['source']);
}

/** What changed in the cell since it ran before, as a unified diff; "" when nothing did, `null` when it did not. */
export function changeOf(run: Run): { run: string; diff: string } | null {
  const changed = objectOf(run.facts['source_changed_from']);
  const before = textOf(changed?.['run']);
  return before === null ? null : { run: before, diff: textOf(changed?.['diff']) ?? '' };
}

/** Versions by name. */
export function packagesOf(run: Run): JsonObject {
  return objectOf(run.facts['packages']) ?? {};
}

export function gitOf(run: Run): GitFacts | null {
  const git = objectOf(run.facts['git']);
  return (
    git && {
      commit: textOf(git['commit']),
      branch: textOf(git['branch']),
      dirty: typeof git['dirty'] === 'boolean' ? git['dirty'] : null,
      diff: textOf(git['diff']) ?? '',
      cut: git['diff_truncated'] === true
    }
  );
}
