"""Regular expressions that Python and JavaScript understand alike. Both look at texts in lower case.

Not offered: what the two spell differently, references back, and repeating a group that itself repeats or has
alternatives, which can take longer than anybody waits (``(a+)+``).
"""

from __future__ import annotations

import re

MOST = 256
"""Characters of a pattern."""
MOST_REPEATS = 4
"""Of ``*``, ``+`` and ``{n,}`` in one pattern: each may multiply the time that a text takes by its length."""
_TOKEN = re.compile(
    r"(?P<edge>\\[bB]|[\^$])"
    r"|(?P<escape>\\[dDwWsSnt.^$*+?()\[\]{}|/\\])"
    r"|(?P<set>\[\^?(?:[^\\\[\]&~|]|\\[dwsnt.^$*+?()\[\]{}|/\\-])+\])"
    r"|(?P<open>\((?:\?:)?(?![?*]))"
    r"|(?P<close>\))"
    r"|(?P<repeat>(?:[*+]|\{\d{1,3},\})\??)"
    r"|(?P<times>\?\??|\{\d{1,3}(?:,\d{1,3})?\}\??)"
    r"|(?P<or>\|)"
    r"|(?P<plain>[^\\()\[\]{}*+?|^$])"
)
_HERE = {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}
"""What JavaScript means, in Python's spelling."""


def compiled(pattern: str) -> re.Pattern[str] | str:
    """The expression for texts in lower case; or, as a text, why there is none."""
    if len(pattern) > MOST:
        return f"it is longer than {MOST} characters"
    tokens = _tokens(pattern)
    if isinstance(tokens, str):
        return tokens
    wrong = _problem([kind for kind, _text in tokens])
    if wrong is not None:
        return wrong
    try:
        return re.compile("".join(_spelled(kind, text) for kind, text in tokens), re.ASCII)
    except (re.error, OverflowError):
        return "it is no regular expression"


def _tokens(pattern: str) -> list[tuple[str, str]] | str:
    found, place = [], 0
    while place < len(pattern):
        token = _TOKEN.match(pattern, place)
        if token is None:
            return f"`{pattern[place : place + 3]}` is not offered here"
        found.append((str(token.lastgroup), token.group()))
        place = token.end()
    return found


def _problem(kinds: list[str]) -> str | None:
    """What is wrong with a pattern of tokens of these kinds."""
    branching = [False]  # of each open group: whether something in it repeats or is an alternative
    repeatable = closed = False
    for kind in kinds:
        if kind in ("repeat", "times"):
            if not repeatable:
                return "a repetition has nothing before it to repeat"
            if kind == "repeat" and closed:
                return "a group that repeats, or has alternatives, cannot be repeated"
        if kind == "open":
            branching.append(False)
        elif kind == "close" and len(branching) == 1:
            return "a `)` has no `(`"
        closed = branching.pop() if kind == "close" else False
        branching[-1] = branching[-1] or closed or kind in ("repeat", "times", "or")
        repeatable = kind in ("escape", "set", "close", "plain")
    if len(branching) > 1:
        return "a `(` has no `)`"
    return "it repeats too often" if kinds.count("repeat") > MOST_REPEATS else None


def _spelled(kind: str, text: str) -> str:
    if kind in ("escape", "open", "times", "repeat", "close"):
        return text
    if kind == "set":
        return re.sub(r"\\.|.", lambda one: one[0] if one[0][0] == "\\" else one[0].lower(), text)
    return _HERE.get(text, text.lower()) if kind != "edge" or text == "$" else text
