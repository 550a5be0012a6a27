r"""Regular expressions that Python and JavaScript understand alike. Both look at texts in lower case.

Neither ``re`` nor ``RegExp`` looks for a whole pattern: both go back and try again, which for
``(a?){40}b`` or ``.*.*.*x`` takes longer than anybody waits, with the interpreter locked or the tab frozen.
Here all ways through a pattern are gone at once (Thompson 1968), and remembered as the states of an automaton
that grows as texts need it: the time is at most a text's length times :data:`MOST_STEPS`. What the two spell
differently and references back are not offered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Union

MOST = 256
"""Characters of a pattern."""
MOST_STEPS = 2_000
"""Of a pattern whose ``{n,m}`` are written out."""
_MOST_STATES = 2_000
"""Remembered at a time; then they are made anew."""
_TOKEN = re.compile(
    r"(?P<edge>\\[bB]|[\^$])"
    r"|(?P<escape>\\[dDwWsSnt.^$*+?()\[\]{}|/\\])"
    r"|(?P<set>\[\^?(?:[^\\\[\]&~|]|\\[dwsnt.^$*+?()\[\]{}|/\\-])+\])"
    r"|(?P<open>\((?:\?:)?(?![?*]))"
    r"|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{\d{1,3}(?:,(?:\d{1,3})?)?\})\??)"
    r"|(?P<or>\|)"
    r"|(?P<plain>[^\\()\[\]{}*+?|^$])"
)
_ANY = r"[^\n\r\u2028\u2029]"
"""What JavaScript means by ``.``, in Python's spelling."""
_WORD = re.compile(r"\w", re.ASCII)


class _Wrong(Exception):
    """Why there is no such pattern."""


class Pattern:
    """Finds out whether a pattern occurs in a text."""

    def __init__(self, program: _Program) -> None:
        self._program = program
        self._states: dict[tuple[frozenset[int], str], _State] = {}
        self._found = _State(self, frozenset(), "")
        self._first = self._state(frozenset(), "")

    def occurs_in(self, text: str) -> bool:
        """``text`` is in lower case."""
        state = self._first
        for letter in text:
            state = state[letter]
            if state is self._found:
                return True
        return state[""] is self._found

    def after(self, state: _State, letter: str) -> _State:
        """Where ``letter`` leads; ``""`` is the end of the text."""
        going = self._program.going(state.places, state.before, letter)
        if going is None:
            return self._found
        return self._state(going, letter)

    def _state(self, places: frozenset[int], before: str) -> _State:
        kind = before and ("a" if _WORD.fullmatch(before) else " ")
        key = places, kind
        if key not in self._states:
            if len(self._states) >= _MOST_STATES:
                self._states.clear()
            self._states[key] = _State(self, *key)
        return self._states[key]


class _State(dict[str, "_State"]):
    """How far one may have come in a pattern, and by letter where that leads.

    Attributes:
        places: of the program; its beginning always belongs to it.
        before: ``a`` behind a letter of a word, a space behind another, ``""`` at the beginning.
    """

    def __init__(self, pattern: Pattern, places: frozenset[int], before: str) -> None:
        super().__init__()
        self.pattern, self.places, self.before = pattern, places, before

    def __missing__(self, letter: str) -> _State:
        self[letter] = self.pattern.after(self, letter)
        return self[letter]


_Step = Union[str, Callable[[str], bool], list[int]]
"""The sign of an edge, a test of a letter, or places where one may go on instead."""


class _Program:
    """What a pattern says, step by step; behind the last one it has been found."""

    def __init__(self) -> None:
        self.steps: list[_Step] = []

    def add(self, step: _Step) -> None:
        if len(self.steps) >= MOST_STEPS:
            raise _Wrong("it repeats too often")
        self.steps.append(step)

    def going(self, places: Iterable[int], before: str, letter: str) -> frozenset[int] | None:
        """Places behind ``letter``; ``None`` when the end of the program can be reached before it."""
        waiting, seen, after = [0, *places], set[int](), set[int]()
        while waiting:
            place = waiting.pop()
            if place == len(self.steps):
                return None
            if place in seen:
                continue
            seen.add(place)
            what = self.steps[place]
            if isinstance(what, list):
                waiting += what
            elif isinstance(what, str):
                waiting += [place + 1] if _is_edge(what, before, letter) else []
            elif letter and what(letter):
                after.add(place + 1)
        return frozenset(after)


def _is_edge(sign: str, before: str, letter: str) -> bool:
    if sign in "^$":
        return not (before if sign == "^" else letter)
    at_word = (before == "a") != (_WORD.fullmatch(letter) is not None)
    return at_word == (sign == r"\b")


def compiled(pattern: str) -> Pattern | str:
    """The expression for texts in lower case; or, as a text, why there is none."""
    if len(pattern) > MOST:
        return f"it is longer than {MOST} characters"
    try:
        parser = _Parser(_tokens(pattern))
        return Pattern(parser.program)
    except _Wrong as why:
        return str(why)


def _tokens(pattern: str) -> list[tuple[str, str]]:
    found, place = [], 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            raise _Wrong(f"`{pattern[place : place + 3]}` is not offered here")
        kind, text = str(token.lastgroup), token.group()
        found += [(kind, letter) for letter in text.lower()] if kind == "plain" else [(kind, text)]
        place = token.end()
    return found


_Node = Callable[[_Program], None]
"""Adds the steps of a part of a pattern."""


class _Parser:
    """Reads the tokens of a pattern; ``program`` is what they say."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._place = tokens, 0
        whole = self._either()
        if self._next:
            raise _Wrong("a `)` has no `(`")
        self.program = _Program()
        whole(self.program)

    @property
    def _next(self) -> str:
        return self._tokens[self._place][0] if self._place < len(self._tokens) else ""

    def _take(self) -> tuple[str, str]:
        self._place += 1
        return self._tokens[self._place - 1]

    def _either(self) -> _Node:
        parts = [self._row()]
        while self._next == "or":
            self._take()
            parts.append(self._row())
        return parts[0] if len(parts) == 1 else lambda program: _add_either(program, parts)

    def _row(self) -> _Node:
        parts: list[_Node] = []
        while self._next not in ("", "or", "close"):
            part, repeatable = self._one()
            if self._next == "repeat":
                if not repeatable:
                    raise _Wrong(_NOTHING)
                part = _repeated(part, self._take()[1])
            parts.append(part)

        def row(program: _Program) -> None:
            for part in parts:
                part(program)

        return row

    def _one(self) -> tuple[_Node, bool]:
        kind, text = self._take()
        if kind == "repeat":
            raise _Wrong(_NOTHING)
        if kind == "edge":
            return lambda program: program.add(text), False
        if kind != "open":
            test = _test(kind, text)
            return lambda program: program.add(test), True
        group = self._either()
        if self._next != "close":
            raise _Wrong("a `(` has no `)`")
        self._take()
        return group, True


_NOTHING = "a repetition has nothing before it to repeat"


def _add_either(program: _Program, parts: list[_Node]) -> None:
    begins: list[int] = []
    ends: list[list[int]] = []
    program.add(begins)
    for part in parts:
        begins.append(len(program.steps))
        part(program)
        ends.append([])
        program.add(ends[-1])
    for end in ends:
        end.append(len(program.steps))


def _repeated(part: _Node, text: str) -> _Node:
    sign = text[0]
    numbers = text.rstrip("?").strip("{}").split(",") if sign == "{" else []
    low = int(numbers[0]) if numbers else int(sign == "+")
    high = int(numbers[-1] or -1) if numbers else 1 if sign == "?" else -1
    if -1 < high < low:
        raise _Wrong("it is no regular expression")
    return lambda program: _add_repeated(program, part, low, high)


def _add_repeated(program: _Program, part: _Node, low: int, high: int) -> None:
    """``part`` from ``low`` to ``high`` times; -1: any number of times."""
    begin = len(program.steps)
    for _ in range(low):
        part(program)
        if len(program.steps) == begin:
            return  # a part that says nothing says no more when it is repeated
    again = len(program.steps)
    ways: list[list[int]] = []
    for _ in range(1 if high < 0 else high - low):
        ways.append([len(program.steps) + 1])
        program.add(ways[-1])
        part(program)
    if high < 0:
        program.add([again])
    for way in ways:
        way.append(len(program.steps))


def _test(kind: str, text: str) -> Callable[[str], bool]:
    """Whether a letter is the one that is meant, or one of those."""
    if kind == "plain" and text != ".":
        return lambda letter: letter == text
    if kind == "set":
        text = re.sub(r"\\.|.", lambda one: one[0] if one[0][0] == "\\" else one[0].lower(), text)
    try:
        test = re.compile(_ANY if kind == "plain" else text, re.ASCII)
    except re.error:
        raise _Wrong("it is no regular expression") from None
    return lambda letter: test.fullmatch(letter) is not None
