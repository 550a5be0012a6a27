"""Which cells stay in the notebook's own kernel while it speaks for a remote one.

Found by parsing IPython's syntax, not by looking at how the text begins: a magic may stand below
comments, in the middle of a cell, inside ``%%time``, or be a mere word in a string.
"""

from __future__ import annotations

import ast
import re
from enum import Enum
from typing import Any, Iterator, List, Optional, Protocol, Tuple

from IPython.core.inputtransformer2 import TransformerManager

_HOME_NAMES = frozenset({"runs", "compare", "local"})
_EXTENSION_MAGICS = frozenset({"load_ext", "reload_ext", "unload_ext"})
_WRAPPERS = frozenset({"time", "timeit", "capture", "prun", "track"})
"""Cell magics whose body is a cell again, so that ``%%time`` above ``%gpu_status`` changes nothing."""

_SUSPECT = re.compile(r"gpu_|local|kernel_magics|runs|compare")
_CELL_MAGIC = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*%%(\w+)(\??)[^\n]*(?:\n|\Z)")


class Place(Enum):
    """Where a cell runs."""

    HERE = "here"
    THERE = "there"
    MIXED = "mixed"
    """Some lines belong here and some there: refused, because half of it would run on the wrong machine."""


class _Kind(Enum):
    HOME = 1
    EITHER = 2
    OTHER = 3


class _Shell(Protocol):
    automagic: bool
    prefilter_manager: Any


def place(code: str, shell: Optional[_Shell] = None) -> Place:
    """Where ``code`` belongs while the notebook is bridged.

    Args:
        code: the raw source of the cell.
        shell: the local shell, to understand magics typed without ``%`` (automagic).
    """
    if not _SUSPECT.search(code):
        return Place.THERE
    found = _CELL_MAGIC.match(code)
    if found:
        return _place_of_cell_magic(found.group(1), bool(found.group(2)), code[found.end() :], shell)
    tree = _parse(code, shell)
    return Place.THERE if tree is None else place_of_tree(tree)


def place_of_tree(tree: ast.Module) -> Place:
    """Where a cell belongs whose magics are already calls (IPython's transformed source)."""
    kinds = {kind for statement in tree.body for kind in _kinds(statement)}
    if _Kind.HOME in kinds:
        return Place.MIXED if _Kind.OTHER in kinds else Place.HERE
    return Place.THERE if _Kind.OTHER in kinds or not kinds else Place.HERE


def magics_of(tree: ast.AST) -> Iterator[str]:
    """Names of the line magics called anywhere in a transformed cell."""
    for node in ast.walk(tree):
        call = _line_magic(node)
        if call:
            yield call[0]


def asks_for_facts(code: str) -> bool:
    """Whether a cell may begin a run, so that the git diff is worth collecting for it."""
    return "%%track" in code or "init(" in code or "%track" in code


def _place_of_cell_magic(name: str, asked: bool, body: str, shell: Optional[_Shell]) -> Place:
    if name in _HOME_NAMES or name.startswith("gpu_"):
        return Place.HERE
    return place(body, shell) if name in _WRAPPERS and not asked else Place.THERE


def _parse(code: str, shell: Optional[_Shell]) -> Optional[ast.Module]:
    """The cell as Python, or ``None`` when it cannot be parsed (then the remote kernel says why)."""
    try:
        python = TransformerManager().transform_cell(code)
        if shell is not None and len(python.splitlines()) == 1 and _is_home(python.split(None, 1)[0]):
            python = shell.prefilter_manager.prefilter_lines(python)
        return ast.parse(python)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # as Python's parser may fail
        return None


def _kinds(statement: ast.stmt) -> List[_Kind]:
    call = _line_magic(statement.value) if isinstance(statement, (ast.Expr, ast.Assign)) else None
    if call is None:
        nested = any(_is_home(name) for name in magics_of(statement))
        return [_Kind.HOME, _Kind.OTHER] if nested else [_Kind.OTHER]
    name, line = call
    words = line.split()
    if _is_home(name):
        return [_Kind.HOME]
    if name in _EXTENSION_MAGICS and words[:1] == ["kernel_magics"]:
        return [_Kind.EITHER]
    if name in ("pinfo", "pinfo2") and words and _is_home(words[0].lstrip("%")):
        return [_Kind.HOME]
    return [_Kind.OTHER]


def _line_magic(node: ast.AST) -> Optional[Tuple[str, str]]:
    """Name and text of ``get_ipython().run_line_magic(name, text)``, as IPython spells a magic."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    if node.func.attr != "run_line_magic" or not isinstance(node.func.value, ast.Call):
        return None
    words = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    if len(words) != 2 or not all(isinstance(word, str) for word in words):
        return None
    return str(words[0]), str(words[1])


def _is_home(name: str) -> bool:
    return name in _HOME_NAMES or name.startswith("gpu_")
