"""Did you mean …? And the one way in which a magic's arguments are read."""

from __future__ import annotations

import difflib
import re
from typing import Any, Callable, Iterable, List

from IPython.core.error import UsageError
from IPython.core.magic_arguments import parse_argstring

from kernel_magics.errors import UsageMistake

_UNKNOWN = re.compile(r"unrecognized arguments: (.+)")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"``, or a full stop."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else "."


def parsed(magic: Callable[..., Any], line: str, usage: str) -> Any:
    """A magic's arguments, as its ``@argument`` decorators declare them, without the quotes around them.

    Raises:
        UsageMistake: with what is wrong, what may have been meant, and how it is written.
    """
    try:
        options = parse_argstring(magic, line)
    except UsageError as error:
        told = str(error).rstrip(".")
        found = _UNKNOWN.search(told)
        guess = did_you_mean(found.group(1).split()[0], _options(magic)) if found else "."
        raise UsageMistake(f"{told}{guess} Nothing was done.", usage) from None
    except ValueError as error:  # an open quote
        raise UsageMistake(f"The line cannot be read: {error}. Nothing was done.", usage) from None
    for name, value in vars(options).items():
        # IPython splits at blanks outside of quotes, and leaves the quotes (arg_split, posix=False).
        bare = [_unquoted(each) for each in value] if isinstance(value, list) else _unquoted(value)
        setattr(options, name, bare)
    return options


def _unquoted(value: Any) -> Any:
    is_quoted = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if is_quoted else value


def _options(magic: Callable[..., Any]) -> List[str]:
    parser: Any = getattr(magic, "parser", None)
    return [option for action in parser._actions for option in action.option_strings] if parser else []
