/** What a filter says, as values, and the text that says it. The same as `kernel_magics/store/filters/tree.py`. */

/** A filter that cannot be understood. `start` and `end` are the letters that are wrong; equal where one is missing. */
export class FilterMistake extends Error {
  constructor(
    readonly reason: string,
    readonly start: number,
    readonly end: number,
    readonly remedy: string | null = null
  ) {
    super(`The filter is wrong at character ${start + 1}: ${reason}`);
  }
}

export type Stat = 'last' | 'min' | 'max' | 'best';

/** Something a run has: a field of its own, a key of what was recorded, or what a metric came to. */
export interface Field {
  kind: 'run' | 'config' | 'summary' | 'facts' | 'metric';
  /** The key; nested keys have dots between them. */
  name: string;
  stat: Stat | '';
}

/** A value as it was written. What it means depends on what it is compared with. */
export interface Literal {
  text: string;
  /** A text, whatever it looks like. */
  quoted: boolean;
}

export type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=' | '~' | '!~';

export type Expression =
  | { type: 'all' }
  | { type: 'and' | 'or'; parts: readonly Expression[] }
  | { type: 'not'; part: Expression }
  | { type: 'compare'; field: Field; op: Operator; value: Literal }
  | { type: 'oneOf'; field: Field; values: readonly Literal[] }
  | { type: 'within'; value: Literal; field: Field }
  | { type: 'has'; field: Field }
  | { type: 'search'; text: string };

export function quote(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`;
}

export function fieldText(field: Field): string {
  const name = /^[^ \t\n\r\f\v\u00a0"'`()[\],=<>!~]+$/.test(field.name) ? field.name : `\`${field.name}\``;
  if (field.kind === 'run') {
    return name;
  }
  return field.kind === 'metric' ? `${name}.${field.stat}` : `${field.kind}.${name}`;
}

const literalText = (value: Literal): string => (value.quoted ? quote(value.text) : value.text);

/** All of the parts, or one of them, as flat as can be. */
export function joint(type: 'and' | 'or', parts: readonly Expression[]): Expression {
  const flat = parts.flatMap(part => (part.type === type ? part.parts : [part]));
  return flat.length === 1 ? (flat[0] as Expression) : { type, parts: flat };
}

/** The filter that is read as `expression`. */
export function toText(expression: Expression): string {
  switch (expression.type) {
    case 'all':
      return '';
    case 'or':
      return expression.parts.map(toText).join(' or ');
    case 'and':
      return expression.parts.map(part => enclosed(part, 'or')).join(' and ');
    case 'not':
      return `not ${enclosed(expression.part, 'and', 'or')}`;
    case 'compare':
      return `${fieldText(expression.field)} ${expression.op} ${literalText(expression.value)}`;
    case 'oneOf':
      return `${fieldText(expression.field)} in (${expression.values.map(literalText).join(', ')})`;
    case 'within':
      return `${literalText(expression.value)} in ${fieldText(expression.field)}`;
    case 'has':
      return fieldText(expression.field);
    case 'search':
      return quote(expression.text);
  }
}

function enclosed(part: Expression, ...types: Expression['type'][]): string {
  return types.includes(part.type) ? `(${toText(part)})` : toText(part);
}
