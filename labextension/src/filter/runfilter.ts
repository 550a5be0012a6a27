/** A filter while it is typed: the last one that made sense stays in force, and what is wrong is said beside it. */
import type { Run } from '../wire/protocol';
import { fieldNames } from './complete';
import { fieldsOf, matcher, unknownFields } from './matching';
import { parseFilter } from './parser';
import { fieldText, FilterMistake, joint, type Expression } from './tree';

export interface RunFilter {
  readonly text: string;
  /** What is in force. */
  readonly expression: Expression;
  /** `expression` as it was typed; "" for all runs. */
  readonly inForce: string;
  /** What is wrong with `text`; `null` when it is what is in force. */
  readonly mistake: FilterMistake | null;
}

export const NO_FILTER: RunFilter = { text: '', expression: { type: 'all' }, inForce: '', mistake: null };

/**
 * The filter after its text has become another.
 *
 * What is being typed is often the beginning of something: a field that no run has (yet), a word that occurs nowhere
 * and begins the name of a field. Until it is whole, it counts for nothing.
 */
export function retyped(before: RunFilter, text: string, runs: readonly Run[]): RunFilter {
  if (text === before.text) {
    return before;
  }
  try {
    const expression = parseFilter(text);
    const mistake = beginning(expression, text, runs);
    if (!mistake) {
      return { text, expression, inForce: text.trim(), mistake };
    }
    const rest = withoutLast(expression);
    return rest
      ? {
          text,
          expression: rest,
          inForce: text.slice(0, mistake.start).replace(/\s+(and\s*)?$/i, ''),
          mistake
        }
      : { ...before, text, mistake };
  } catch (error) {
    if (error instanceof FilterMistake) {
      return { ...before, text, mistake: error };
    }
    throw error;
  }
}

function beginning(expression: Expression, text: string, runs: readonly Run[]): FilterMistake | null {
  const last = lastTest(expression);
  if (runs.length === 0 || (last.type !== 'has' && last.type !== 'search')) {
    return null;
  }
  const word = last.type === 'has' ? fieldText(last.field) : last.text;
  const place = text.lastIndexOf(word);
  if (place < 0 || place + word.length < text.trimEnd().length) {
    return null;
  }
  if (last.type === 'has') {
    const missing = unknownFields(last, runs).length > 0;
    return missing ? new FilterMistake(`no run has \`${word}\`.`, place, place + word.length) : null;
  }
  const wanted = word.toLowerCase();
  if (wanted === '' || !fieldNames(runs).some(name => name.toLowerCase().startsWith(wanted))) {
    return null;
  }
  const found = runs.some(matcher(last, 0));
  return found ? null : new FilterMistake(`nothing is called \`${word}\`.`, place, place + word.length);
}

/** What is left without the test that was written last; `null` where that would say something else. */
function withoutLast(expression: Expression): Expression | null {
  if (expression.type === 'and') {
    return joint('and', expression.parts.slice(0, -1));
  }
  return expression.type === 'has' || expression.type === 'search' ? { type: 'all' } : null;
}

/** The test that was written last. */
function lastTest(expression: Expression): Expression {
  if (expression.type === 'and' || expression.type === 'or') {
    return lastTest(expression.parts[expression.parts.length - 1] as Expression);
  }
  return expression.type === 'not' ? lastTest(expression.part) : expression;
}

/**
 * The runs that are meant, in the same order.
 *
 * @param archived whether archived ones are meant too, although the filter does not speak of them.
 */
export function filtered(
  runs: readonly Run[],
  expression: Expression,
  now: number,
  archived = false
): readonly Run[] {
  const all =
    archived || fieldsOf(expression).some(field => field.kind === 'run' && field.name === 'archived');
  const there = all ? runs : runs.filter(run => !run.archived);
  return expression.type === 'all' ? there : there.filter(matcher(expression, now));
}

/** Fields that nobody has, when that is why nothing is found; else none. */
export function suspects(runs: readonly Run[], shown: readonly Run[], expression: Expression): string[] {
  return shown.length === 0 && runs.length > 0 ? unknownFields(expression, runs) : [];
}
