"""From the text of a filter to what it says. Grammar (``docs/filter.md``)::

filter  = [ either ]
either  = both { "or" both }
both    = one { [ "and" ] one }
one     = "not" one | "(" either ")" | test
test    = field op value | field "in" "(" value { "," value } ")" | value "in" field | field | word | "text"
op      = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import literals, patterns
from .fields import KINDS, PREFIXES, STATS, STATUSES, field_of, kind_of, nearest
from .tree import (
    All,
    Compare,
    Expression,
    Field,
    FilterMistake,
    Has,
    Literal,
    Not,
    OneOf,
    Search,
    Within,
    conjunction,
    disjunction,
)

DEEPEST = 50
"""How deep parentheses and ``not`` can be nested."""
LONGEST = 4_096
"""Characters of a filter."""
_SPACE = " \t\n\r\f\v\u00a0"
_TOKEN = re.compile(
    r'[ \t\n\r\f\v\u00a0]*(?:(?P<text>"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')'
    r"|(?P<sign>==|!=|!~|<=|>=|[=<>~()\[\],])"
    r"|(?P<word>(?:`[^`]+`|[^ \t\n\r\f\v\u00a0\"`()\[\],=<>!~]|!(?![=~]))+))",
    re.DOTALL,
)
_UNFINISHED = {
    '"': "a quoted text does not end.",
    "`": "a name in backticks does not end.",
}
_WORDS = ("and", "or", "not", "in")
_ORDER = ("<", "<=", ">", ">=")
_OPERATORS = ("=", "==", "!=", "~", "!~", *_ORDER)


@dataclass(frozen=True)
class _Token:
    """``kind`` is ``text``, ``word``, ``end``, or the sign or keyword itself."""

    kind: str
    text: str
    start: int
    end: int
    ticked: bool = False


def parse(text: str) -> Expression:
    """What a filter says. The empty one says :class:`~.tree.All`.

    Raises:
        FilterMistake: it says nothing that makes sense; names the place.
    """
    if len(text) > LONGEST:
        raise FilterMistake(f"it is longer than {LONGEST:,} characters.", LONGEST, len(text))
    return _Parser(_tokens(text)).filter()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    place, last = 0, len(text.rstrip(_SPACE))
    while place < last:
        match = _TOKEN.match(text, place)
        if match is None:
            start = len(text) - len(text[place:].lstrip(_SPACE))
            raise FilterMistake(_UNFINISHED.get(text[start], "this says nothing."), start, len(text))
        found.append(_token(match))
        place = match.end()
    return [*found, _Token("end", "", len(text), len(text))]


def _token(match: re.Match[str]) -> _Token:
    kind = str(match.lastgroup)
    text, start, end = match.group(kind), match.start(kind), match.end(kind)
    if kind == "text":
        return _Token("text", re.sub(r"\\([\"'\\])", r"\1", text[1:-1]), start, end)
    if kind == "sign":
        return _Token("=" if text == "==" else text, text, start, end)
    if text.lower() in _WORDS:
        return _Token(text.lower(), text, start, end)
    return _Token("word", text.replace("`", ""), start, end, "`" in text)


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def filter(self) -> Expression:
        if self._next.kind == "end":
            return All()
        found = self._either()
        if self._next.kind != "end":
            raise _wrong(self._next, f"`{self._next.text}` stands where it says nothing.")
        return found

    def _either(self) -> Expression:
        parts = [self._both()]
        while self._next.kind == "or":
            self._take()
            parts.append(self._both())
        return disjunction(parts)

    def _both(self) -> Expression:
        parts = [self._one()]
        while self._next.kind in ("and", "not", "(", "text", "word"):
            if self._next.kind == "and":
                self._take()
            parts.append(self._one())
        return conjunction(parts)

    def _one(self) -> Expression:
        token = self._take()
        if token.kind in ("not", "("):
            self._depth += 1
            if self._depth > DEEPEST:
                raise _wrong(token, f"it is nested deeper than {DEEPEST}.")
            found = self._negated() if token.kind == "not" else self._enclosed(token)
            self._depth -= 1
            return found
        if token.kind in ("text", "word"):
            return self._test(token)
        what = (
            "something is missing here." if token.kind == "end" else f"`{token.text}` has nothing before it."
        )
        raise _wrong(token, what)

    def _negated(self) -> Expression:
        return Not(self._one())

    def _enclosed(self, opening: _Token) -> Expression:
        found = self._either()
        if self._next.kind != ")":
            raise _wrong(opening, "this `(` has no `)`.")
        self._take()
        return found

    def _test(self, token: _Token) -> Expression:
        after = self._next
        if after.kind == "in":
            self._take()
            return self._within(token)
        field = field_of(token.text) if token.kind == "word" else None
        if after.kind in _OPERATORS:
            self._take()
            return self._comparison(_known(token, field), after.kind)
        if field is not None:
            return Has(field)
        if token.ticked:
            raise _unknown(token)
        return Search(token.text)

    def _within(self, token: _Token) -> Expression:
        after = self._take()
        if after.kind in ("(", "["):
            field = _known(token, field_of(token.text) if token.kind == "word" else None)
            return OneOf(field, self._list(field, after))
        if after.kind != "word":
            raise _wrong(after, "after `in` stands a field, or values in parentheses.")
        field = _known(after, field_of(after.text))
        if kind_of(field) not in ("text", "any"):
            raise _wrong(after, f"`{field}` has no parts: nothing is in it.", f"{field} = …")
        return Within(Literal(token.text, token.kind == "text" or token.ticked), field)

    def _list(self, field: Field, opening: _Token) -> tuple[Literal, ...]:
        values = []
        closing = ")" if opening.kind == "(" else "]"
        while True:
            values.append(self._value(field, "="))
            separator = self._take()
            if separator.kind == closing:
                return tuple(values)
            if separator.kind != ",":
                raise _wrong(separator, f"between values stands `,`, and `{closing}` after the last.")

    def _comparison(self, field: Field, op: str) -> Expression:
        return Compare(field, op, self._value(field, op))

    def _value(self, field: Field, op: str) -> Literal:
        token = self._take()
        if token.kind not in ("word", "text"):
            raise _wrong(token, f"a value is missing after `{field}`.")
        value = Literal(token.text, token.kind == "text" or token.ticked)
        reason, remedy = _mismatch(field, op, value)
        if reason:
            raise _wrong(token, reason, remedy)
        return value


def _mismatch(field: Field, op: str, value: Literal) -> tuple[str, str | None]:
    """Why ``field op value`` makes no sense, and what would; ``""`` when it does."""
    kind, text = kind_of(field), value.text
    if op in ("~", "!~"):
        if kind not in ("text", "any", "status"):
            return f"`{field}` is no text: `~` compares texts.", None
        wrong = patterns.compiled(text)
        return (f"the pattern cannot be used: {wrong}.", None) if isinstance(wrong, str) else ("", None)
    if op in _ORDER and kind in ("text", "status", "flag"):
        return f"`{field}` has no order.", f"{field} = …, {field} ~ …"
    if text.lower() == "none" and not value.quoted and op in ("=", "!="):
        return "", None
    if kind == "time" and (value.quoted or literals.moment(text, 0.0) is None):
        return f"`{text}` is no moment.", "2026-11-01, 2026-11-01T14:30, today, -2d"
    if kind == "span" and (value.quoted or literals.span(text) is None):
        return f"`{text}` is no length of time.", "90s, 15m, 2h, 1d"
    if (kind == "number" or op in _ORDER) and kind not in ("time", "span"):
        missing = value.quoted or literals.number(text) is None
        return (f"`{text}` is no number.", None) if missing else ("", None)
    if kind == "flag" and text.lower() not in ("true", "false"):
        return f"`{field}` is true or false.", f"{field} = true"
    if kind == "status" and text.lower() not in STATUSES:
        near = nearest(text, STATUSES)
        return f"there is no status `{text}`.", f"{field} = {near}" if near else ", ".join(STATUSES)
    return "", None


def _known(token: _Token, field: Field | None) -> Field:
    if field is None:
        raise _unknown(token)
    return field


def _unknown(token: _Token) -> FilterMistake:
    if token.kind == "text":
        return _wrong(token, "a quoted text is no field.", "name, config.lr, loss.last, `my metric`.last")
    rest = token.text.partition(".")[2]
    near = nearest(token.text, (*KINDS, *(f"{prefix}.{rest}" for prefix in PREFIXES if rest)))
    metric, dot, stat = token.text.rpartition(".")
    if near is None and dot and metric and (stat_near := nearest(stat, STATS)) is not None:
        near = f"{metric}.{stat_near}"
    offers = near or f"{Field('config', token.text)}, {Field('metric', token.text, 'last')}"
    return _wrong(token, f"there is no field `{token.text}`.", offers)


def _wrong(token: _Token, reason: str, remedy: str | None = None) -> FilterMistake:
    return FilterMistake(reason, token.start, token.end, remedy)
