/**
 * Regular expressions on which Python and JavaScript agree, in a time that grows with the text only.
 *
 * The same as `kernel_magics/store/filters/patterns.py`, which says why and how.
 */

const MOST = 256;
const MOST_STEPS = 2000;
const MOST_STATES = 2000;
const TOKEN =
  /(?<edge>\\[bB]|[\^$])|(?<escape>\\[dDwWsSnt.^$*+?()[\]{}|/\\])|(?<set>\[\^?(?:[^\\[\]&~|]|\\[dwsnt.^$*+?()[\]{}|/\\-])+\])|(?<open>\((?:\?:)?(?![?*]))|(?<close>\))|(?<repeat>(?:[*+?]|\{\d{1,3}(?:,(?:\d{1,3})?)?\})\??)|(?<or>\|)|(?<plain>[^\\()[\]{}*+?|^$])/uy;

/** White space as Python's `\s` has it in ASCII. */
const SPACE = ' \\t\\n\\r\\f\\v';
const WORD = /^\w$/;
const NOTHING = 'a repetition has nothing before it to repeat';

interface Token {
  kind: string;
  text: string;
}

type LetterTest = (letter: string) => boolean;

/** The sign of an edge, a test of a letter, or places where one may go on instead. */
type Step = string | LetterTest | number[];

/** Adds the steps of a part of a pattern. */
type Node = (program: Step[]) => void;

/** How far one may have come, and by letter where that leads; `before`: 'a' behind a letter of a word. */
interface State {
  places: readonly number[];
  before: string;
  next: Map<string, State>;
}

class Wrong extends Error {}

/** Finds out whether a pattern occurs in a text. */
export class Pattern {
  constructor(private readonly _program: readonly Step[]) {
    this._first = this._state([], '');
  }

  /** `text` is in lower case. */
  occursIn(text: string): boolean {
    let state = this._first;
    for (const letter of text) {
      state = this._after(state, letter);
      if (state === this._found) {
        return true;
      }
    }
    return this._after(state, '') === this._found;
  }

  private _after(state: State, letter: string): State {
    let after = state.next.get(letter);
    if (after === undefined) {
      const going = this._going(state, letter);
      after = going === null ? this._found : this._state(going, letter);
      state.next.set(letter, after);
    }
    return after;
  }

  /** Places behind `letter`; `null` when the end of the program can be reached before it. */
  private _going(state: State, letter: string): number[] | null {
    const waiting = [0, ...state.places];
    const seen = new Set<number>();
    const after = new Set<number>();
    for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
      const step = this._program[place];
      if (step === undefined) {
        return null;
      }
      if (seen.has(place)) {
        continue;
      }
      seen.add(place);
      if (typeof step === 'string') {
        waiting.push(...(isEdge(step, state.before, letter) ? [place + 1] : []));
      } else if (typeof step !== 'function') {
        waiting.push(...step);
      } else if (letter && step(letter)) {
        after.add(place + 1);
      }
    }
    return [...after].sort((a, b) => a - b);
  }

  private _state(places: readonly number[], letter: string): State {
    const before = letter && (WORD.test(letter) ? 'a' : ' ');
    const key = `${before}${places.join()}`;
    let state = this._states.get(key);
    if (!state) {
      if (this._states.size >= MOST_STATES) {
        this._states.clear();
      }
      state = { places, before, next: new Map() };
      this._states.set(key, state);
    }
    return state;
  }

  private readonly _states = new Map<string, State>();
  private readonly _found: State = { places: [], before: '', next: new Map() };
  private readonly _first: State;
}

/** The expression for texts in lower case; or, as a text, why there is none. */
export function compiledPattern(pattern: string): Pattern | string {
  if ([...pattern].length > MOST) {
    return `it is longer than ${MOST} characters`;
  }
  try {
    return new Pattern(new Parser(tokensOf(pattern)).program);
  } catch (error) {
    if (error instanceof Wrong) {
      return error.message;
    }
    throw error;
  }
}

function isEdge(sign: string, before: string, letter: string): boolean {
  if (sign === '^' || sign === '$') {
    return (sign === '^' ? before : letter) === '';
  }
  const atWord = (before === 'a') !== WORD.test(letter);
  return atWord === (sign === '\\b');
}

function tokensOf(pattern: string): Token[] {
  const found: Token[] = [];
  let place = 0;
  while (place < pattern.length) {
    TOKEN.lastIndex = place;
    const token = TOKEN.exec(pattern);
    if (!token) {
      throw new Wrong(`\`${[...pattern.slice(place)].slice(0, 3).join('')}\` is not offered here`);
    }
    const [kind] = Object.entries(token.groups ?? {}).find(([, text]) => text !== undefined) as [
      string,
      string
    ];
    const texts = kind === 'plain' ? [...token[0].toLowerCase()] : [token[0]];
    found.push(...texts.map(text => ({ kind, text })));
    place = TOKEN.lastIndex;
  }
  return found;
}

/** Reads the tokens of a pattern; `program` is what they say. */
class Parser {
  constructor(private readonly _tokens: readonly Token[]) {
    const whole = this._either();
    if (this._next) {
      throw new Wrong('a `)` has no `(`');
    }
    whole(this.program);
  }

  readonly program: Step[] = [];

  private get _next(): string {
    return this._tokens[this._place]?.kind ?? '';
  }

  private _take(): Token {
    return this._tokens[this._place++] as Token;
  }

  private _either(): Node {
    const parts = [this._row()];
    while (this._next === 'or') {
      this._take();
      parts.push(this._row());
    }
    return parts.length === 1 ? (parts[0] as Node) : program => addEither(program, parts);
  }

  private _row(): Node {
    const parts: Node[] = [];
    while (!['', 'or', 'close'].includes(this._next)) {
      const [part, repeatable] = this._one();
      if (this._next === 'repeat' && !repeatable) {
        throw new Wrong(NOTHING);
      }
      parts.push(this._next === 'repeat' ? repeated(part, this._take().text) : part);
    }
    return program => parts.forEach(part => part(program));
  }

  private _one(): [Node, boolean] {
    const { kind, text } = this._take();
    if (kind === 'repeat') {
      throw new Wrong(NOTHING);
    }
    if (kind === 'edge') {
      return [program => add(program, text), false];
    }
    if (kind !== 'open') {
      const test = letterTest(kind, text);
      return [program => add(program, test), true];
    }
    const group = this._either();
    if (this._next !== 'close') {
      throw new Wrong('a `(` has no `)`');
    }
    this._take();
    return [group, true];
  }

  private _place = 0;
}

function add(program: Step[], step: Step): void {
  if (program.length >= MOST_STEPS) {
    throw new Wrong('it repeats too often');
  }
  program.push(step);
}

function addEither(program: Step[], parts: readonly Node[]): void {
  const begins: number[] = [];
  const ends: number[][] = [];
  add(program, begins);
  for (const part of parts) {
    begins.push(program.length);
    part(program);
    const end: number[] = [];
    ends.push(end);
    add(program, end);
  }
  ends.forEach(end => end.push(program.length));
}

function repeated(part: Node, text: string): Node {
  const sign = text.charAt(0);
  const numbers = sign === '{' ? text.replace(/[{}?]/g, '').split(',') : [];
  const low = numbers.length ? Number(numbers[0]) : Number(sign === '+');
  const high = numbers.length ? Number(numbers[numbers.length - 1] || -1) : sign === '?' ? 1 : -1;
  if (high > -1 && high < low) {
    throw new Wrong('it is no regular expression');
  }
  return program => addRepeated(program, part, low, high);
}

/** `part` from `low` to `high` times; -1: any number of times. */
function addRepeated(program: Step[], part: Node, low: number, high: number): void {
  const begin = program.length;
  for (let time = 0; time < low; time++) {
    part(program);
    if (program.length === begin) {
      return; // a part that says nothing says no more when it is repeated
    }
  }
  const again = program.length;
  const ways: number[][] = [];
  for (let time = 0; time < (high < 0 ? 1 : high - low); time++) {
    const way = [program.length + 1];
    ways.push(way);
    add(program, way);
    part(program);
  }
  if (high < 0) {
    add(program, [again]);
  }
  ways.forEach(way => way.push(program.length));
}

/** Whether a letter is the one that is meant, or one of those. */
function letterTest(kind: string, text: string): LetterTest {
  if (kind === 'plain' && text !== '.') {
    return letter => letter === text;
  }
  let test: RegExp;
  try {
    test = new RegExp(`^${kind === 'plain' ? '.' : spelled(kind, text)}$`, 'u');
  } catch {
    throw new Wrong('it is no regular expression');
  }
  return letter => test.test(letter);
}

function spelled(kind: string, text: string): string {
  if (kind === 'escape') {
    return text === '\\s' ? `[${SPACE}]` : text === '\\S' ? `[^${SPACE}]` : text;
  }
  return text.replace(/\\.|[^\\]/gsu, one =>
    one === '\\s' ? SPACE : one.startsWith('\\') ? one : one.toLowerCase()
  );
}
