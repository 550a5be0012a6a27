"""Refusing a cell before its code runs, with a sentence, the way IPython lets an extension do it."""

from __future__ import annotations

import ast
from typing import Any, Optional

from kernel_magics.errors import TracksideError


class Refusal(ast.NodeTransformer):
    """An IPython AST transformer that raises what was found wrong when the cell began.

    IPython's ``pre_run_cell`` cannot stop a cell. An AST transformer runs after it, before the code,
    and may raise ``InputRejected``: the cell's reply is an error, queued cells are aborted.
    """

    def __init__(self) -> None:
        self._because: Optional[TracksideError] = None

    def refuse(self, error: TracksideError) -> None:
        """The cell that is about to run does not run."""
        self._because = error

    def allow(self) -> None:
        """Forget a refusal whose cell never came so far (it did not parse)."""
        self._because = None

    def visit(self, node: ast.AST) -> Any:
        error, self._because = self._because, None
        if error is not None:
            raise _rejected(error)
        return node


def _rejected(error: TracksideError) -> Exception:
    """The same error, of a class that is IPython's ``InputRejected`` too; its name stays."""
    from IPython.core.error import InputRejected

    kind = type(type(error).__name__, (type(error), InputRejected), {})
    rejected: Exception = kind(error.message, remedy=error.remedy)
    return rejected
