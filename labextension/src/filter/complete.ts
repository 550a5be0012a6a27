/** What may come next in a filter: names of fields, words, values that runs have. Pure functions. */
import type { Json, JsonObject, Run } from '../wire/protocol';
import { fieldOf, kindOf, RUN_FIELDS, STATS, STATUSES } from './fields';
import { fieldValue, isSomething } from './matching';
import { fieldText, quote, type Field, type Stat } from './tree';

const MOST = 12;
const WORD = /(?:`[^`]*`?|[^\s"'`()[\],=<>!~])*$/u;
const AFTER_OPERATOR = /((?:`[^`]+`|[^\s"'`()[\],=<>!~])+)\s*(==|!=|!~|<=|>=|[=<>~])\s*$/u;

export interface Completion {
  /** What is replaced. */
  start: number;
  end: number;
  options: readonly string[];
}

const names = new WeakMap<readonly Run[], readonly string[]>();

/**
 * Every field that one of the runs has, as it is written in a filter, and last the grammar's own that none has; made
 * once per list.
 */
export function fieldNames(runs: readonly Run[]): readonly string[] {
  let found = names.get(runs);
  if (!found) {
    const keys = { config: new Set<string>(), summary: new Set<string>(), facts: new Set<string>() };
    const metrics = new Map<string, Set<Stat>>();
    const absent = new Set(Object.keys(RUN_FIELDS));
    for (const run of runs) {
      addKeys(keys.config, run.config);
      addKeys(keys.facts, run.facts);
      addStats(metrics, run);
      addKeys(keys.summary, run.summary, '', name => Object.hasOwn(run.extremes, name));
      absent.forEach(name => isSomething(fieldValue(run, fieldOf(name) as Field, 0)) && absent.delete(name));
    }
    const sorted = (set: Iterable<string>): string[] => [...set].sort((a, b) => (a < b ? -1 : 1));
    const written = (kind: 'config' | 'summary' | 'facts'): string[] =>
      sorted(keys[kind]).map(name => fieldText({ kind, name, stat: '' }));
    found = [
      ...Object.keys(RUN_FIELDS).filter(name => !absent.has(name)),
      ...written('config'),
      ...sorted(metrics.keys()).flatMap(name =>
        STATS.filter(stat => metrics.get(name)?.has(stat)).map(stat =>
          fieldText({ kind: 'metric', name, stat })
        )
      ),
      ...written('summary'),
      ...written('facts'),
      ...absent
    ];
    names.set(runs, found);
  }
  return found;
}

/** A key without a value is nothing to ask for. */
function addKeys(
  into: Set<string>,
  mapping: JsonObject,
  prefix = '',
  except: (key: string) => boolean = () => false
): void {
  for (const [key, value] of Object.entries(mapping)) {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      addKeys(into, value, `${prefix}${key}.`);
    } else if (value !== null && !except(key)) {
      into.add(prefix + key);
    }
  }
}

/** Which of a metric's values there are: the best only where somebody said what is better. */
function addStats(into: Map<string, Set<Stat>>, run: Run): void {
  for (const name of Object.keys(run.extremes)) {
    const stats = into.get(name) ?? new Set<Stat>();
    for (const stat of STATS) {
      if (!stats.has(stat) && fieldValue(run, { kind: 'metric', name, stat }, 0) !== null) {
        stats.add(stat);
      }
    }
    into.set(name, stats);
  }
}

/** What fits at the caret; `null` when nothing does, or when all is written. */
export function complete(text: string, caret: number, runs: readonly Run[]): Completion | null {
  const before = text.slice(0, caret);
  if (((before.match(/"/g) ?? []).length & 1) === 1) {
    return null; // within a quoted text
  }
  const word = WORD.exec(before)?.[0] ?? '';
  const start = caret - word.length;
  const field = AFTER_OPERATOR.exec(before.slice(0, start))?.[1]?.replaceAll('`', '');
  const candidates = field === undefined ? fieldNames(runs) : valuesOf(field, runs);
  const wanted = word.replaceAll('`', '').toLowerCase();
  if (field === undefined && wanted === '') {
    return null;
  }
  const [first, second]: [string[], string[]] = [[], []];
  for (const candidate of candidates) {
    const place = candidate.toLowerCase().replaceAll('`', '').replace(/^"/, '').indexOf(wanted);
    if (place >= 0 && candidate !== word) {
      (place === 0 ? first : second).push(candidate);
    }
  }
  const options = [...first, ...second].slice(0, MOST);
  return options.length > 0 ? { start, end: caret, options } : null;
}

/** Values that runs have in a field, the most frequent first. */
function valuesOf(name: string, runs: readonly Run[]): string[] {
  const field = fieldOf(name);
  if (!field) {
    return [];
  }
  switch (kindOf(field)) {
    case 'status':
      return [...STATUSES];
    case 'flag':
      return ['true', 'false'];
    case 'time':
      return ['today', 'yesterday', '-1d', '-1w'];
    case 'span':
      return ['1m', '1h', '1d'];
    case 'number':
    case 'text':
    case 'any': {
      const often = new Map<string, number>();
      for (const run of runs) {
        const value = fieldValue(run, field, 0);
        for (const one of Array.isArray(value) ? value : [value]) {
          const text = valueText(one);
          if (text !== null) {
            often.set(text, (often.get(text) ?? 0) + 1);
          }
        }
      }
      return [...often].sort((a, b) => b[1] - a[1]).map(([text]) => text);
    }
  }
}

/** A value as it is written in a filter; `null` for what cannot be written, or is too long to choose. */
function valueText(value: Json): string | null {
  if (typeof value === 'string') {
    const plain = /^[^\s"'`()[\],=<>!~]+$/u.test(value) && !/^(and|or|not|in|none)$/i.test(value);
    return value === '' || value.length > 80 ? null : plain ? value : quote(value);
  }
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
