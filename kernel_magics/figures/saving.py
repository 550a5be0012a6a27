"""A comparison as a file: a page that works offline, a notebook that opens it again, a picture."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel_magics.errors import DataFolderError, UsageMistake

from . import words
from .page import page_title, write_html
from .picture import write_png
from .view import View, groups_of

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

SUFFIXES = (".html", ".ipynb", ".png")


def save_comparison(
    store: Store, run_ids: Sequence[str], path: str | os.PathLike[str], view: View | None = None
) -> Path:
    """Writes the comparison of some runs as what the file's name ends with; answers its path.

    Raises:
        UsageMistake: the name ends with none of :data:`SUFFIXES`, or the view makes no sense.
        UnknownRun: there is no such run.
        DataFolderError: the file cannot be written.
        NoPicture: there is no browser that makes one.
    """
    target, shown = Path(path), view or View()
    if target.suffix not in SUFFIXES:
        raise UsageMistake(
            f"A comparison is saved as {', '.join(SUFFIXES)}, not as {target.name!r}. Nothing was saved.",
            f"%compare --save {target.with_suffix('.html').name}",
        )
    if not target.resolve().parent.is_dir():
        raise DataFolderError(
            f"The comparison was not saved: there is no folder {target.parent}.", "name another file"
        )
    if target.suffix == ".html":
        return write_html(store, run_ids, target, shown)
    if target.suffix == ".ipynb":
        return _write(target, comparison_notebook(store, run_ids, shown))
    with tempfile.TemporaryDirectory(prefix="trackside-") as folder:
        return write_png(write_html(store, run_ids, Path(folder, "compare.html"), shown), target)


def _write(target: Path, text: str) -> Path:
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataFolderError(
            f"The comparison was not saved: {error.strerror} ({target}).", "name another file"
        ) from error
    return target


def comparison_notebook(store: Store, run_ids: Sequence[str], view: View) -> str:
    """A notebook (nbformat 4.5) that shows the comparison of these runs as they are when it is run.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: the view makes no sense.
    """
    runs = [store.run(run_id) for run_id in run_ids]
    view.check(run_ids)
    if view.group_by is not None:
        groups_of(runs, view.group_by)  # says now what the notebook would say later
    listed = "\n".join(f"- {_plain(run.name)} (`{run.id}`)" for run in runs)
    heading = f"# {_plain(page_title(runs))}\n\n{view.notes}\n\n{listed}\n"
    cells = [
        _cell("markdown", "about", heading),
        _cell("code", "load", "%load_ext kernel_magics"),
        _cell("code", "compare", compare_line(run_ids, view)),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def compare_line(run_ids: Sequence[str], view: View) -> str:
    """The magic that shows it."""
    options = {
        "--x": view.x if view.x != "auto" else None,
        "--group-by": view.group_by,
        "--band": view.band if view.group_by is not None and view.band != "range" else None,
        "--baseline": view.baseline,
    }
    said = [f"{name} {shlex.quote(value)}" for name, value in options.items() if value is not None]
    if all(run_id in view.styles for run_id in run_ids) and run_ids:
        said.append(f"--styles {','.join(str(view.styles[run_id]) for run_id in run_ids)}")
    smooth = [f"--smoothing {view.smoothing:g}"] if view.smoothing else []
    flags = {"--log": view.log, "--inferred": view.inferred}
    given = [name for name, on in flags.items() if on]
    return " ".join(["%compare", *run_ids, *said, *smooth, *given])


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **code}


def _plain(text: str) -> str:
    """A name as Markdown shows it letter by letter: no link, no HTML."""
    return "".join(
        f"\\{letter}" if letter in r"\`*_{}[]<>()#+-.!|&" else letter for letter in words.flat_text(text)
    )
