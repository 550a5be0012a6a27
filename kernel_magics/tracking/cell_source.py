"""What a cell's source says by itself: its literal settings, and what changed since it last ran."""

from __future__ import annotations

import ast
import difflib
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

MAX_VALUE_CHARS = 2000
"""A literal whose source is longer (a prompt, a table) is data rather than a setting."""


def literal_config(source: str) -> Dict[str, Any]:
    """The settings a cell writes down: ``lr = 0.1`` at its top level, as JSON values.

    Only names that are assigned once and never change: a counter, a loop variable, a name that is
    augmented, deleted or assigned again (also from a function, by ``global``) is a variable. Names
    that begin with ``_`` and empty containers (``losses = []``) are left out as well.

    Args:
        source: Python source, after IPython's transformations. Source that does not parse has none.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    times = _times_bound(module)
    found: Dict[str, Any] = {}
    for statement in module.body:
        for name, node in _assignments(statement):
            if times.get(name, 0) != 1 or name.startswith("_"):
                continue
            literal, value = _literal(node)
            if literal:
                found[name] = value
    return found


def _assignments(statement: ast.stmt) -> Iterator[Tuple[str, ast.expr]]:
    if isinstance(statement, ast.AnnAssign):
        if isinstance(statement.target, ast.Name) and statement.value is not None:
            yield statement.target.id, statement.value
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _pairs(target, statement.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[Tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        same = len(target.elts) == len(value.elts)
        for one, its in zip(target.elts, value.elts) if same else ():  # a starred target yields no name
            yield from _pairs(one, its)


def _literal(node: ast.expr) -> Tuple[bool, Any]:
    """``(True, JSON value)`` for a literal that is a setting, else ``(False, None)``."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False, None
    if isinstance(value, (list, tuple, dict)) and not value:
        return False, None
    try:
        plain = _as_json(value)
    except TypeError:
        return False, None
    return (True, plain) if len(repr(plain)) <= MAX_VALUE_CHARS else (False, None)


def _as_json(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is not a plain setting")


class _Bindings(ast.NodeVisitor):
    """Counts how often each name of the module scope is bound."""

    def __init__(self) -> None:
        self.times: Dict[str, int] = {}
        self._globals: List[Set[str]] = []

    def _bind(self, name: str, times: int = 1) -> None:
        if not self._globals or name in self._globals[-1]:
            self.times[name] = self.times.get(name, 0) + times

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._bind(node.target.id, 2)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        # A walrus in a comprehension binds the name outside of it, so the scope does not count.
        self.times[node.target.id] = self.times.get(node.target.id, 0) + 2
        self.visit(node.value)

    def _scope(self, node: ast.AST) -> None:
        declared = {name for child in ast.walk(node) if isinstance(child, ast.Global) for name in child.names}
        self._globals.append(declared)
        self.generic_visit(node)
        self._globals.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._bind(node.name)
        self._scope(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._bind(node.name)
        self._scope(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name)
        self._scope(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._scope(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._scope(node)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # type: ignore[assignment]


def _times_bound(module: ast.Module) -> Dict[str, int]:
    bindings = _Bindings()
    bindings.visit(module)
    return bindings.times


class SourceMemory:
    """The source each tracked cell had when it last ran, for as long as the kernel lives."""

    def __init__(self) -> None:
        self._last: Dict[str, Tuple[str, str]] = {}

    def changed_from(self, cell: str, run_id: str, source: str) -> Optional[Dict[str, str]]:
        """Remember this source; ``{"run", "diff"}`` against the last, ``None`` for a cell not seen before.

        ``diff`` is a unified diff, empty when nothing changed.
        """
        before = self._last.get(cell)
        self._last[cell] = (run_id, source)
        if before is None:
            return None
        old_run, old_source = before
        diff = difflib.unified_diff(
            old_source.splitlines(), source.splitlines(), f"{old_run}/cell", f"{run_id}/cell", lineterm=""
        )
        return {"run": old_run, "diff": "\n".join(diff)}


def python_of(shell: Any, source: str) -> str:
    """The cell's Python, without a ``%%`` line that stands over it."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith("%%")]
    try:
        return str(shell.transform_cell("\n".join(lines)))
    except Exception:  # noqa: BLE001 - IPython raises the same for the cell itself, and shows it
        return ""
