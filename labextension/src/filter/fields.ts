/** The fields of a run that a filter can name. The same as `kernel_magics/store/filters/fields.py`. */
import type { Field, Stat } from './tree';

export type FieldKind = 'text' | 'status' | 'time' | 'span' | 'flag' | 'number' | 'any';

export const RUN_FIELDS: Readonly<Record<string, FieldKind>> = {
  name: 'text',
  id: 'text',
  project: 'text',
  status: 'status',
  detail: 'text',
  group: 'text',
  tags: 'text',
  notes: 'text',
  host: 'text',
  notebook: 'text',
  lease: 'text',
  error: 'text',
  started: 'time',
  finished: 'time',
  duration: 'span',
  pinned: 'flag',
  archived: 'flag'
};

export const PREFIXES = ['config', 'summary', 'facts'] as const;
export const STATS: readonly Stat[] = ['last', 'min', 'max', 'best'];
export const STATUSES = ['running', 'finished', 'failed', 'interrupted', 'killed', 'unknown'] as const;

const isPrefix = (text: string): text is (typeof PREFIXES)[number] =>
  (PREFIXES as readonly string[]).includes(text);
const isStat = (text: string): text is Stat => (STATS as readonly string[]).includes(text);

/** The field of this name; `null` when it is none. */
export function fieldOf(name: string): Field | null {
  if (Object.hasOwn(RUN_FIELDS, name)) {
    return { kind: 'run', name, stat: '' };
  }
  const first = name.indexOf('.');
  const head = name.slice(0, Math.max(0, first));
  if (isPrefix(head) && first < name.length - 1) {
    return { kind: head, name: name.slice(first + 1), stat: '' };
  }
  const last = name.lastIndexOf('.');
  const stat = name.slice(last + 1);
  return last > 0 && isStat(stat) ? { kind: 'metric', name: name.slice(0, last), stat } : null;
}

export function kindOf(field: Field): FieldKind {
  if (field.kind === 'metric') {
    return 'number';
  }
  return field.kind === 'run' ? (RUN_FIELDS[field.name] as FieldKind) : 'any';
}

/** The candidate that somebody who wrote `word` may have meant; the first of those that are as near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor([...word].length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = edits([...word.toLowerCase()], [...candidate.toLowerCase()]);
    if (distance < least) {
      [best, least] = [candidate, distance];
    }
  }
  return best;
}

/** Least number of letters to insert, delete, replace, or exchange with the next (optimal string alignment). */
function edits(first: readonly string[], second: readonly string[]): number {
  let older: number[] = [];
  let before: number[] = [];
  let row = [0, ...second.map((_, j) => j + 1)];
  first.forEach((letter, i) => {
    [older, before, row] = [before, row, [i + 1]];
    second.forEach((other, j) => {
      const at = (from: readonly number[], index: number): number => from[index] as number;
      let cost = Math.min(at(before, j + 1) + 1, at(row, j) + 1, at(before, j) + (letter === other ? 0 : 1));
      if (i > 0 && j > 0 && letter === second[j - 1] && first[i - 1] === other) {
        cost = Math.min(cost, at(older, j - 1) + 1);
      }
      row.push(cost);
    });
  });
  return row[second.length] as number;
}
