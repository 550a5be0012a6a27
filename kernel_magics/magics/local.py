"""``%%local``: run a cell in the notebook's own kernel while the notebook is bridged to another one.

The line is turned into a comment before the cell is compiled, so that everything else behaves as in
any cell: top-level ``await``, line numbers, errors, Run All. (A magic that runs the cell from inside
a cell breaks ``await`` and shows every error twice.) Which kernel gets the cell is decided earlier, in
:mod:`kernel_magics.bridge.cells`.
"""

from __future__ import annotations

import re
from typing import Any, List

from kernel_magics.errors import UsageMistake

_LINE = re.compile(r"\s*%%local\s*(#.*)?$")


def without_local_line(lines: List[str]) -> List[str]:
    """IPython's input transformer: the ``%%local`` line as a comment, or dropped when ``%%`` follows."""
    for index, line in enumerate(lines):
        if _LINE.match(line):
            rest = lines[index + 1 :]
            if not "".join(rest).strip():
                return lines  # IPython says that the body is empty
            if rest[0].startswith("%%"):
                return lines[:index] + rest
            return [*lines[:index], "# %%local\n", *rest]
        if line.strip() and not line.lstrip().startswith("#"):
            return lines
    return lines


# A lone "%%local" is not yet a complete cell: IPython then leaves this transformer out.
without_local_line.has_side_effects = True  # type: ignore[attr-defined]


def local(line: str, _cell: str = "") -> None:
    """Run this cell in the notebook's own kernel, while other cells run on the GPU machine.

    ::

        %%local
        frame = pandas.read_csv("on-this-machine.csv")
    """
    # Reached only with arguments: else the line became a comment, and IPython itself refuses an empty body.
    raise UsageMistake(f"%%local takes no arguments, but got {line.strip()!r}. Nothing was run.", "%%local")


def register(ip: Any) -> None:
    """Install ``%%local``. Installing it twice is the same as once."""
    unregister(ip)
    # Before and after the transformers of other magics: "%%track" may stand above "%%local" or below it.
    ip.input_transformers_cleanup.insert(0, without_local_line)
    ip.input_transformers_cleanup.append(without_local_line)
    ip.register_magic_function(local, magic_kind="cell", magic_name="local")


def unregister(ip: Any) -> None:
    """The inverse of :func:`register`; harmless when it was not installed."""
    transformers = ip.input_transformers_cleanup
    # By name: a reloaded module has a new function of the same name.
    for known in [known for known in transformers if getattr(known, "__module__", "") == __name__]:
        transformers.remove(known)
    ip.magics_manager.magics["cell"].pop("local", None)
