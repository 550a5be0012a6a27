/** Whether a run is meant by a filter. The same as `kernel_magics/store/filters/matching.py`. */
import type { Json, JsonObject, Run } from '../wire/protocol';
import { kindOf } from './fields';
import { momentLiteral, numberLiteral, spanLiteral, type Moment } from './literals';
import { compiledPattern } from './patterns';
import { fieldText, type Expression, type Field, type Literal } from './tree';

export type Matches = (run: Run) => boolean;

/** What a run has in a field; `null` for nothing. */
export type FieldValue = Json;

/** A test for runs. `now`: seconds since the epoch, for `-2d` and for how long a run has been running. */
export function matcher(expression: Expression, now: number): Matches {
  switch (expression.type) {
    case 'all':
      return () => true;
    case 'and': {
      const tests = expression.parts.map(part => matcher(part, now));
      return run => tests.every(test => test(run));
    }
    case 'or': {
      const tests = expression.parts.map(part => matcher(part, now));
      return run => tests.some(test => test(run));
    }
    case 'not': {
      const test = matcher(expression.part, now);
      return run => !test(run);
    }
    case 'search': {
      const wanted = expression.text.toLowerCase();
      return run => haystackOf(run).includes(wanted);
    }
    case 'compare':
    case 'oneOf':
    case 'within':
    case 'has': {
      const { field } = expression;
      const test = ofValue(expression, now);
      return run => test(fieldValue(run, field, now));
    }
  }
}

/** Fields of the filter that none of these runs has: perhaps their names are spelled wrongly. */
export function unknownFields(expression: Expression, runs: readonly Run[]): string[] {
  const wanted = new Map(
    fieldsOf(expression)
      .filter(field => field.kind !== 'run')
      .map(field => [fieldText(field), field] as const)
  );
  for (const run of runs) {
    wanted.forEach((field, text) => {
      if (fieldValue(run, field, 0) !== null) {
        wanted.delete(text);
      }
    });
    if (wanted.size === 0) {
      break;
    }
  }
  return [...wanted.keys()];
}

/** The fields that a filter names. */
export function fieldsOf(expression: Expression): Field[] {
  switch (expression.type) {
    case 'and':
    case 'or':
      return expression.parts.flatMap(fieldsOf);
    case 'not':
      return fieldsOf(expression.part);
    case 'all':
    case 'search':
      return [];
    case 'compare':
    case 'oneOf':
    case 'within':
    case 'has':
      return [expression.field];
  }
}

type Test = (found: FieldValue) => boolean;

function ofValue(
  expression: Extract<Expression, { type: 'compare' | 'oneOf' | 'within' | 'has' }>,
  now: number
): Test {
  const { field } = expression;
  switch (expression.type) {
    case 'has':
      return isSomething;
    case 'oneOf': {
      const tests = expression.values.map(value => equals(field, value, now));
      return found => tests.some(test => test(found));
    }
    case 'within':
      return contains(expression.value);
    case 'compare': {
      const test = comparison(field, expression.op.replace(/^!/, ''), expression.value, now);
      return expression.op.startsWith('!') ? found => !test(found) : test;
    }
  }
}

function comparison(field: Field, op: string, value: Literal, now: number): Test {
  if (op === '=') {
    return equals(field, value, now);
  }
  if (op === '~') {
    const pattern = compiledPattern(value.text);
    if (typeof pattern === 'string') {
      return () => false; // parsing has refused it
    }
    return found =>
      elements(found).some(one => typeof one === 'string' && pattern.occursIn(one.toLowerCase()));
  }
  const [low, high] = limits(field, value, now);
  const whole = low !== high; // a day, whose end does not belong to it
  const tests: Record<string, (found: number) => boolean> = {
    '<': found => found < low,
    '>=': found => found >= low,
    '<=': found => (whole ? found < high : found <= high),
    '>': found => (whole ? found >= high : found > high)
  };
  const test = tests[op] as (found: number) => boolean;
  return found => typeof found === 'number' && test(found);
}

/** What a literal is compared by: a number twice, or the beginning and the end of a moment. */
function limits(field: Field, value: Literal, now: number): Moment {
  const kind = kindOf(field);
  if (kind === 'time') {
    return momentLiteral(value.text, now) ?? [NaN, NaN];
  }
  const found = (kind === 'span' ? spanLiteral(value.text) : numberLiteral(value.text)) ?? NaN;
  return [found, found];
}

function equals(field: Field, value: Literal, now: number): Test {
  const text = value.text.toLowerCase();
  if (text === 'none' && !value.quoted) {
    return found => found === null || found === '' || (Array.isArray(found) && found.length === 0);
  }
  const kind = kindOf(field);
  if (kind === 'time') {
    const [low, high] = limits(field, value, now);
    return found => typeof found === 'number' && ((low <= found && found < high) || found === low);
  }
  const number = kind === 'span' ? spanLiteral(value.text) : value.quoted ? null : numberLiteral(value.text);
  const equal = (found: FieldValue): boolean => {
    if (typeof found === 'boolean') {
      return !value.quoted && text === String(found);
    }
    if (typeof found === 'number') {
      return found === number || (Number.isNaN(found) && Number.isNaN(number ?? 0));
    }
    return typeof found === 'string' && found.toLowerCase() === text;
  };
  return found => elements(found).some(equal);
}

function contains(value: Literal): Test {
  const equal = equals({ kind: 'config', name: '', stat: '' }, value, 0);
  const text = value.text.toLowerCase();
  return found =>
    typeof found === 'string' ? found.toLowerCase().includes(text) : Array.isArray(found) && equal(found);
}

const elements = (found: FieldValue): readonly FieldValue[] =>
  Array.isArray(found) ? found.map(one => spelled(one)) : [found];

export function isSomething(found: FieldValue): boolean {
  if (found === null || found === false || found === '') {
    return false;
  }
  return typeof found !== 'object' || Object.keys(found).length > 0;
}

/** What a run has there. */
export function fieldValue(run: Run, field: Field, now: number): FieldValue {
  switch (field.kind) {
    case 'run':
      return ofRun(run, field.name, now);
    case 'metric':
      return ofMetric(run, field);
    case 'config':
    case 'summary':
    case 'facts':
      return spelled(at(run[field.kind], field.name));
  }
}

/** The value of a key, or of a path of keys with dots between them. */
function at(mapping: JsonObject, name: string): Json {
  if (Object.hasOwn(mapping, name)) {
    return mapping[name] as Json;
  }
  for (let end = name.lastIndexOf('.'); end > 0; end = name.lastIndexOf('.', end - 1)) {
    const head = name.slice(0, end);
    const inner = Object.hasOwn(mapping, head) ? mapping[head] : null;
    if (inner !== null && typeof inner === 'object' && !Array.isArray(inner)) {
      const found = at(inner, name.slice(end + 1));
      if (found !== null) {
        return found;
      }
    }
  }
  return null;
}

/** What JSON cannot spell arrives as a text, and is the number. */
function spelled(value: Json): Json {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity' ? Number(value) : value;
}

function ofMetric(run: Run, field: Field): FieldValue {
  if (field.stat === 'last') {
    const last = Object.hasOwn(run.summary, field.name) ? spelled(run.summary[field.name] as Json) : null;
    return typeof last === 'number' ? last : null;
  }
  const [low, high, better] = Object.hasOwn(run.extremes, field.name)
    ? (run.extremes[field.name] as Run['extremes'][string])
    : [null, null, null];
  if (field.stat === 'best') {
    return better === 'lower' ? low : better === 'higher' ? high : null;
  }
  return field.stat === 'min' ? low : high;
}

function ofRun(run: Run, name: string, now: number): FieldValue {
  switch (name) {
    case 'detail':
      return run.status_detail;
    case 'started':
      return run.created;
    case 'duration':
      return Math.max(0, (run.finished ?? now) - run.created);
    case 'host':
    case 'notebook':
    case 'lease':
      return run.facts[name] ?? null;
    case 'error':
      return run.error && `${run.error.ename}: ${run.error.evalue}`;
    default:
      return run[name as 'name' | 'id' | 'project' | 'status' | 'group' | 'tags' | 'notes' | 'finished'];
  }
}

const haystacks = new WeakMap<Run, string>();

/** Everything of a run that a search looks at, in lower case, a line each; made once per run object. */
export function haystackOf(run: Run): string {
  let text = haystacks.get(run);
  if (text === undefined) {
    const facts = [run.facts['notebook'], run.facts['host']].map(fact => plainText(fact ?? ''));
    const config = [...flat(run.config)].map(([key, value]) => `${key}=${plainText(value)}`);
    text = [
      run.name,
      run.project,
      run.group ?? '',
      ...run.tags,
      run.status,
      run.id,
      run.notes,
      ...facts,
      ...config
    ]
      .join('\n')
      .toLowerCase();
    haystacks.set(run, text);
  }
  return text;
}

function* flat(mapping: JsonObject, prefix = ''): Iterable<[string, Json]> {
  for (const [key, value] of Object.entries(mapping)) {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      yield* flat(value, `${prefix}${key}.`);
    } else {
      yield [`${prefix}${key}`, value];
    }
  }
}

/** A value as a search sees it. */
function plainText(value: Json): string {
  if (Array.isArray(value)) {
    return value.map(plainText).join(',');
  }
  if (value !== null && typeof value === 'object') {
    return Object.entries(value).map(([key, one]) => `${key}:${plainText(one)}`).join(','); // prettier-ignore
  }
  return String(value);
}
