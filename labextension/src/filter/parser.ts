/** From the text of a filter to what it says. The same as `kernel_magics/store/filters/parser.py`; see `docs/filter.md`. */
import { fieldOf, kindOf, nearest, PREFIXES, RUN_FIELDS, STATS, STATUSES } from './fields';
import { momentLiteral, numberLiteral, spanLiteral } from './literals';
import { compiledPattern } from './patterns';
import {
  fieldText,
  FilterMistake,
  joint,
  type Expression,
  type Field,
  type Literal,
  type Operator
} from './tree';

const DEEPEST = 50;
const LONGEST = 4096;
const TOKEN =
  /[ \t\n\r\f\v\u00a0]*(?:(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<sign>==|!=|!~|<=|>=|[=<>~()[\],])|(?<word>(?:`[^`]+`|[^ \t\n\r\f\v\u00a0"`()[\],=<>!~]|!(?![=~]))+))/dsuy;
const ORDER = ['<', '<=', '>', '>='];
const OPERATORS = ['=', '!=', '~', '!~', ...ORDER];

/** `kind` is `text`, `word`, `end`, or the sign or keyword itself. */
interface Token {
  kind: string;
  text: string;
  start: number;
  end: number;
  ticked: boolean;
}

/** What a filter says; raises {@link FilterMistake}. */
export function parseFilter(text: string): Expression {
  if (text.length > LONGEST) {
    throw new FilterMistake('it is longer than 4,096 characters.', LONGEST, text.length);
  }
  return new Parser(tokensOf(text)).filter();
}

/** The words and signs of a filter, as far as they can be told apart. */
export function tokensOf(text: string): Token[] {
  const found: Token[] = [];
  const last = text.replace(/[ \t\n\r\f\v\u00a0]+$/, '').length;
  let place = 0;
  while (place < last) {
    TOKEN.lastIndex = place;
    const match = TOKEN.exec(text);
    if (!match) {
      const start = text.length - text.slice(place).replace(/^[ \t\n\r\f\v\u00a0]+/, '').length;
      const reasons: Record<string, string> = {
        '"': 'a quoted text does not end.',
        '`': 'a name in backticks does not end.'
      };
      throw new FilterMistake(reasons[text[start] as string] ?? 'this says nothing.', start, text.length);
    }
    found.push(tokenOf(match));
    place = TOKEN.lastIndex;
  }
  return [...found, { kind: 'end', text: '', start: text.length, end: text.length, ticked: false }];
}

function tokenOf(match: RegExpExecArray): Token {
  const groups = match.groups as Record<string, string | undefined>;
  const kind = ['text', 'sign', 'word'].find(name => groups[name] !== undefined) as string;
  const text = groups[kind] as string;
  const [start, end] = match.indices?.groups?.[kind] as [number, number];
  const token = { kind, text, start, end, ticked: false };
  if (kind === 'text') {
    return { ...token, text: text.slice(1, -1).replace(/\\(["'\\])/g, '$1') };
  }
  if (kind === 'sign') {
    return { ...token, kind: text === '==' ? '=' : text };
  }
  if (['and', 'or', 'not', 'in'].includes(text.toLowerCase())) {
    return { ...token, kind: text.toLowerCase() };
  }
  return { ...token, text: text.replaceAll('`', ''), ticked: text.includes('`') };
}

class Parser {
  constructor(private readonly tokens: readonly Token[]) {}

  filter(): Expression {
    if (this.next.kind === 'end') {
      return { type: 'all' };
    }
    const found = this.either();
    if (this.next.kind !== 'end') {
      throw wrong(this.next, `\`${this.next.text}\` stands where it says nothing.`);
    }
    return found;
  }

  private get next(): Token {
    return this.tokens[this.place] as Token;
  }

  private take(): Token {
    const token = this.next;
    this.place += token.kind === 'end' ? 0 : 1;
    return token;
  }

  private either(): Expression {
    const parts = [this.both()];
    while (this.next.kind === 'or') {
      this.take();
      parts.push(this.both());
    }
    return joint('or', parts);
  }

  private both(): Expression {
    const parts = [this.one()];
    while (['and', 'not', '(', 'text', 'word'].includes(this.next.kind)) {
      if (this.next.kind === 'and') {
        this.take();
      }
      parts.push(this.one());
    }
    return joint('and', parts);
  }

  private one(): Expression {
    const token = this.take();
    if (token.kind === 'not' || token.kind === '(') {
      this.depth += 1;
      if (this.depth > DEEPEST) {
        throw wrong(token, `it is nested deeper than ${DEEPEST}.`);
      }
      const found: Expression =
        token.kind === 'not' ? { type: 'not', part: this.one() } : this.enclosed(token);
      this.depth -= 1;
      return found;
    }
    if (token.kind === 'text' || token.kind === 'word') {
      return this.test(token);
    }
    throw wrong(
      token,
      token.kind === 'end' ? 'something is missing here.' : `\`${token.text}\` has nothing before it.`
    );
  }

  private enclosed(opening: Token): Expression {
    const found = this.either();
    if (this.next.kind !== ')') {
      throw wrong(opening, 'this `(` has no `)`.');
    }
    this.take();
    return found;
  }

  private test(token: Token): Expression {
    const after = this.next.kind;
    if (after === 'in') {
      this.take();
      return this.within(token);
    }
    if (OPERATORS.includes(after)) {
      this.take();
      const field = known(token);
      return { type: 'compare', field, op: after as Operator, value: this.value(field, after) };
    }
    const field = token.kind === 'word' ? fieldOf(token.text) : null;
    if (field) {
      return { type: 'has', field };
    }
    if (token.ticked) {
      throw unknown(token);
    }
    return { type: 'search', text: token.text };
  }

  private within(token: Token): Expression {
    const after = this.take();
    if (after.kind === '(' || after.kind === '[') {
      const field = known(token);
      return { type: 'oneOf', field, values: this.list(field, after) };
    }
    if (after.kind !== 'word') {
      throw wrong(after, 'after `in` stands a field, or values in parentheses.');
    }
    const field = known(after);
    if (!['text', 'any'].includes(kindOf(field))) {
      const text = fieldText(field);
      throw wrong(after, `\`${text}\` has no parts: nothing is in it.`, `${text} = …`);
    }
    return {
      type: 'within',
      value: { text: token.text, quoted: token.kind === 'text' || token.ticked },
      field
    };
  }

  private list(field: Field, opening: Token): Literal[] {
    const values: Literal[] = [];
    const closing = opening.kind === '(' ? ')' : ']';
    for (;;) {
      values.push(this.value(field, '='));
      const separator = this.take();
      if (separator.kind === closing) {
        return values;
      }
      if (separator.kind !== ',') {
        throw wrong(separator, `between values stands \`,\`, and \`${closing}\` after the last.`);
      }
    }
  }

  private value(field: Field, op: string): Literal {
    const token = this.take();
    if (token.kind !== 'word' && token.kind !== 'text') {
      throw wrong(token, `a value is missing after \`${fieldText(field)}\`.`);
    }
    const value = { text: token.text, quoted: token.kind === 'text' || token.ticked };
    const [reason, remedy] = mismatch(field, op, value);
    if (reason) {
      throw wrong(token, reason, remedy);
    }
    return value;
  }

  private place = 0;
  private depth = 0;
}

const FINE = ['', null] as const;

/** Why `field op value` makes no sense, and what would. */
function mismatch(field: Field, op: string, value: Literal): readonly [string, string | null] {
  const [kind, name, text] = [kindOf(field), fieldText(field), value.text];
  const lower = text.toLowerCase();
  if (op === '~' || op === '!~') {
    if (!['text', 'any', 'status'].includes(kind)) {
      return [`\`${name}\` is no text: \`~\` compares texts.`, null];
    }
    const pattern = compiledPattern(text);
    return typeof pattern === 'string' ? [`the pattern cannot be used: ${pattern}.`, null] : FINE;
  }
  if (ORDER.includes(op) && ['text', 'status', 'flag'].includes(kind)) {
    return [`\`${name}\` has no order.`, `${name} = …, ${name} ~ …`];
  }
  if (lower === 'none' && !value.quoted && (op === '=' || op === '!=')) {
    return FINE;
  }
  if (kind === 'time' && (value.quoted || momentLiteral(text, 0) === null)) {
    return [`\`${text}\` is no moment.`, '2026-11-01, 2026-11-01T14:30, today, -2d'];
  }
  if (kind === 'span' && (value.quoted || spanLiteral(text) === null)) {
    return [`\`${text}\` is no length of time.`, '90s, 15m, 2h, 1d'];
  }
  if ((kind === 'number' || ORDER.includes(op)) && kind !== 'time' && kind !== 'span') {
    return value.quoted || numberLiteral(text) === null ? [`\`${text}\` is no number.`, null] : FINE;
  }
  if (kind === 'flag' && lower !== 'true' && lower !== 'false') {
    return [`\`${name}\` is true or false.`, `${name} = true`];
  }
  if (kind === 'status' && !(STATUSES as readonly string[]).includes(lower)) {
    const near = nearest(text, STATUSES);
    return [`there is no status \`${text}\`.`, near ? `${name} = ${near}` : STATUSES.join(', ')];
  }
  return FINE;
}

function known(token: Token): Field {
  const field = token.kind === 'word' ? fieldOf(token.text) : null;
  if (!field) {
    throw unknown(token);
  }
  return field;
}

function unknown(token: Token): FilterMistake {
  if (token.kind === 'text') {
    return wrong(token, 'a quoted text is no field.', 'name, config.lr, loss.last, `my metric`.last');
  }
  const { text } = token;
  const dot = text.indexOf('.');
  const rest = dot < 0 ? '' : text.slice(dot + 1);
  let near = nearest(text, [
    ...Object.keys(RUN_FIELDS),
    ...(rest ? PREFIXES.map(one => `${one}.${rest}`) : [])
  ]);
  const last = text.lastIndexOf('.');
  const stat = last > 0 ? nearest(text.slice(last + 1), STATS) : null;
  if (near === null && stat !== null) {
    near = `${text.slice(0, last)}.${stat}`;
  }
  const offers = [
    fieldText({ kind: 'config', name: text, stat: '' }),
    fieldText({ kind: 'metric', name: text, stat: 'last' })
  ];
  return wrong(token, `there is no field \`${text}\`.`, near ?? offers.join(', '));
}

function wrong(token: Token, reason: string, remedy: string | null = null): FilterMistake {
  return new FilterMistake(reason, token.start, token.end, remedy);
}
