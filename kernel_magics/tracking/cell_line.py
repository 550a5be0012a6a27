"""The ``%%track`` line: found in a cell, parsed, and turned into a comment.

The line never becomes a magic that runs the rest of the cell. A nested ``run_cell`` breaks top-level
``await``, shows errors twice or swallows them, and fires IPython's events twice. As a comment it
leaves the cell what it is: await, ``%%time`` beneath, line numbers in tracebacks, breakpoints and
the abort of queued cells behave by themselves.
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass
from typing import Dict, FrozenSet, List, Optional, Tuple

from kernel_magics.errors import UsageMistake

USAGE = "%%track [NAME] [--project P] [--tag T]… [--group G] [--no-source] [--no-outputs] [--no-inferred] …"

SWITCHES: Dict[str, str] = {
    "--no-source": "source",
    "--no-outputs": "outputs",
    "--no-diff": "diff",
    "--no-packages": "packages",
    "--no-environment": "environment",
    "--no-inferred": "inferred_metrics",
    "--no-frameworks": "frameworks",
    "--no-note": "note",
}
"""What a cell can keep off the record, and the key of ``[capture]`` it switches off."""

_VALUED = ("--project", "--group", "--tag")

_NOT_PYTHON_NAMES = (
    "! HTML SVG bash cmd file html javascript js latex markdown perl pypy python python2 python3 ruby script"
    " sh svg sx system writefile"
)
_NOT_PYTHON = frozenset(_NOT_PYTHON_NAMES.split())
"""IPython's own cell magics whose body is not run as a cell here; a ``%%track`` below them is just text."""


@dataclass(frozen=True)
class TrackOptions:
    """What stands behind ``%%track``. ``off`` holds keys of ``[capture]`` this cell switches off."""

    name: Optional[str] = None
    project: Optional[str] = None
    tags: Tuple[str, ...] = ()
    group: Optional[str] = None
    off: FrozenSet[str] = frozenset()


def parse_options(text: str) -> TrackOptions:
    """Parse what stands behind ``%%track``.

    Raises:
        UsageMistake: an unknown option, an option without its value, two names, unbalanced quotes.
    """
    words = _split(text)
    names: List[str] = []
    tags: List[str] = []
    single: Dict[str, str] = {}
    off = set()
    while words:
        option, equals, value = words.pop(0).partition("=")
        if not option.startswith("-"):
            names.append(option + equals + value)
        elif option in SWITCHES:
            if equals:
                raise _mistake(f"{option} takes no value.")
            off.add(SWITCHES[option])
        elif option in _VALUED:
            value = _value(option, value if equals else None, words)
            if option == "--tag":
                tags.append(value)
            elif option in single:
                raise _mistake(f"{option} stands there twice.")
            else:
                single[option] = value
        else:
            raise _unknown(option)
    if len(names) > 1:
        raise UsageMistake(
            f"%%track takes one name, and got {len(names)}: {', '.join(names)}. The cell did not run.",
            remedy=f'%%track "{" ".join(names)}"',
        )
    return TrackOptions(
        name=names[0] if names else None,
        project=single.get("--project"),
        tags=tuple(dict.fromkeys(tags)),
        group=single.get("--group"),
        off=frozenset(off),
    )


def _split(text: str) -> List[str]:
    try:
        return shlex.split(text, comments=False)
    except ValueError as error:
        raise _mistake(f"the line could not be read ({str(error).lower()}).") from None


def _value(option: str, given: Optional[str], words: List[str]) -> str:
    if given is None and words and not words[0].startswith("-"):
        given = words.pop(0)
    if not given:
        raise _mistake(f"{option} needs a value.")
    return given


def _unknown(option: str) -> UsageMistake:
    near = difflib.get_close_matches(option, (*_VALUED, *SWITCHES), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return _mistake(f"there is no option {option}.{hint}")


def _mistake(what: str) -> UsageMistake:
    return UsageMistake(f"%%track: {what} The cell did not run.", remedy=USAGE)


_WORD = re.compile(r"%%(\S+)[ \t]*(.*)")


def find_track_line(raw_cell: str) -> Optional[str]:
    """What stands behind ``%%track`` in this cell, or ``None`` when the cell is not tracked.

    The line may stand below comments, and below other cell magics that run their body (``%%time``).
    Without anything below it the cell is IPython's usage error.
    """
    lines = raw_cell.splitlines()
    for number, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        magic = _WORD.match(stripped)
        if magic is None:
            return None
        if magic.group(1) == "track":
            return magic.group(2).strip() if "".join(lines[number + 1 :]).strip() else None
        if magic.group(1) in _NOT_PYTHON or magic.group(1).startswith("!"):
            return None
    return None


def comment_out(lines: List[str]) -> List[str]:
    """IPython input transformer: make a ``%%track`` line a comment. Pure; runs several times a cell.

    Two cases leave the list as IPython would see it without us: a ``%%track`` with nothing below
    (IPython says that the body is empty), and one above another ``%%`` line, which must stand first
    to be seen, so that our line is dropped instead.
    """
    at = _first_code_line(lines)
    if at is None or lines[at].split(None, 1)[:1] != ["%%track"]:
        return lines
    below = _first_code_line(lines[at + 1 :])
    if not any(line.strip() for line in lines[at + 1 :]):
        return lines
    if below is not None and lines[at + 1 + below].startswith("%%"):
        return lines[at + 1 + below :]
    return [*lines[:at], "# " + lines[at].rstrip("\n") + "\n", *lines[at + 1 :]]


# Else `is_complete` calls a lone "%%track x" complete, and a terminal runs it before its body is typed.
comment_out.has_side_effects = True  # type: ignore[attr-defined]


def _first_code_line(lines: List[str]) -> Optional[int]:
    for number, line in enumerate(lines):
        text = line.strip()
        if text and not text.startswith("#"):
            return number
    return None
