"""A tracked body outside of a notebook's cell: scripts, ``run_cell_magic``."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, Any

from kernel_magics.errors import UsageMistake
from kernel_magics.tracking.cell_line import parse_options

if TYPE_CHECKING:
    from kernel_magics.tracking.cell import CellTracker

_FILENAME = "<%%track>"


def run_body(shell: Any, tracker: CellTracker, line: str, body: str) -> None:
    """Run ``body`` in the user's namespace as a tracked cell; its last expression is shown as in a cell.

    What it raises is raised here, once, and ends the run as *failed*.

    Raises:
        UsageMistake: the line is wrong, or the body awaits and an event loop runs already.
    """
    __tracebackhide__ = True  # IPython leaves such frames out
    options = parse_options(line)
    tree = shell.transform_ast(shell.compile.ast_parse(shell.transform_cell(body), filename=_FILENAME))
    with tracker.body(f"%%track {line}\n{body}", options):
        for number, node in enumerate(tree.body):
            last = number == len(tree.body) - 1 and isinstance(node, ast.Expr)
            unit: ast.AST = ast.Interactive([node]) if last else ast.Module([node], [])
            with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
                code = shell.compile(unit, _FILENAME, "single" if last else "exec")
            if code.co_flags & inspect.CO_COROUTINE:
                _await(shell, eval(code, shell.user_ns))
            else:
                exec(code, shell.user_ns)


def _await(shell: Any, coroutine: Any) -> None:
    __tracebackhide__ = True
    try:
        shell.loop_runner(coroutine)
    except RuntimeError as error:
        coroutine.close()
        if "already running" not in str(error):
            raise
        raise UsageMistake(
            "run_cell_magic('track', …) cannot await here, because an event loop is running already.",
            remedy="a cell whose first line is %%track",
        ) from None
