/** Regular expressions on which Python and JavaScript agree. The same as `kernel_magics/store/filters/patterns.py`. */

const MOST = 256;
const MOST_REPEATS = 4;
const TOKEN =
  /(?<edge>\\[bB]|[\^$])|(?<escape>\\[dDwWsSnt.^$*+?()[\]{}|/\\])|(?<set>\[\^?(?:[^\\[\]&~|]|\\[dwsnt.^$*+?()[\]{}|/\\-])+\])|(?<open>\((?:\?:)?(?![?*]))|(?<close>\))|(?<repeat>(?:[*+]|\{\d{1,3},\})\??)|(?<times>\?\??|\{\d{1,3}(?:,\d{1,3})?\}\??)|(?<or>\|)|(?<plain>[^\\()[\]{}*+?|^$])/uy;

/** White space as Python's `\s` has it in ASCII. */
const SPACE = ' \\t\\n\\r\\f\\v';

interface Token {
  kind: string;
  text: string;
}

/** The expression for texts in lower case; or, as a text, why there is none. */
export function compiledPattern(pattern: string): RegExp | string {
  if ([...pattern].length > MOST) {
    return `it is longer than ${MOST} characters`;
  }
  const tokens = tokensOf(pattern);
  if (typeof tokens === 'string') {
    return tokens;
  }
  const wrong = problemOf(tokens.map(token => token.kind));
  if (wrong !== null) {
    return wrong;
  }
  try {
    return new RegExp(tokens.map(spelled).join(''), 'u');
  } catch {
    return 'it is no regular expression';
  }
}

function tokensOf(pattern: string): Token[] | string {
  const found: Token[] = [];
  let place = 0;
  while (place < pattern.length) {
    TOKEN.lastIndex = place;
    const token = TOKEN.exec(pattern);
    if (!token) {
      return `\`${[...pattern.slice(place)].slice(0, 3).join('')}\` is not offered here`;
    }
    const [kind] = Object.entries(token.groups ?? {}).find(([, text]) => text !== undefined) as [
      string,
      string
    ];
    found.push({ kind, text: token[0] });
    place = TOKEN.lastIndex;
  }
  return found;
}

/** What is wrong with a pattern of tokens of these kinds. */
function problemOf(kinds: readonly string[]): string | null {
  const branching = [false]; // of each open group: whether something in it repeats or is an alternative
  let [repeatable, closed] = [false, false];
  for (const kind of kinds) {
    if (kind === 'repeat' || kind === 'times') {
      if (!repeatable) {
        return 'a repetition has nothing before it to repeat';
      }
      if (kind === 'repeat' && closed) {
        return 'a group that repeats, or has alternatives, cannot be repeated';
      }
    }
    if (kind === 'open') {
      branching.push(false);
    } else if (kind === 'close' && branching.length === 1) {
      return 'a `)` has no `(`';
    }
    closed = kind === 'close' ? (branching.pop() as boolean) : false;
    if (closed || ['repeat', 'times', 'or'].includes(kind)) {
      branching[branching.length - 1] = true;
    }
    repeatable = ['escape', 'set', 'close', 'plain'].includes(kind);
  }
  if (branching.length > 1) {
    return 'a `(` has no `)`';
  }
  return kinds.filter(kind => kind === 'repeat').length > MOST_REPEATS ? 'it repeats too often' : null;
}

function spelled({ kind, text }: Token): string {
  if (kind === 'escape') {
    return text === '\\s' ? `[${SPACE}]` : text === '\\S' ? `[^${SPACE}]` : text;
  }
  if (kind === 'set') {
    return text.replace(/\\.|[^\\]/gsu, one =>
      one === '\\s' ? SPACE : one.startsWith('\\') ? one : one.toLowerCase()
    );
  }
  return kind === 'plain' ? text.toLowerCase() : text;
}
