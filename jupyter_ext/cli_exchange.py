"""``trackside export | import``: runs as files that other tools read, and back."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kernel_magics.errors import UsageMistake
from kernel_magics.exchange import FORMATS, export_runs, format_of, import_file
from kernel_magics.figures import choose_runs
from kernel_magics.model import counted
from kernel_magics.store import Store

from .cli_machines import data_folder
from .cli_runs import chosen, opened

_EVERY_S = 0.2


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    out = commands.add_parser(
        "export", help="write the points of runs, their settings and summaries to a file"
    )
    out.add_argument(
        "runs", metavar="RUN", nargs="*", help="an id, the beginning or the end of one, or a name"
    )
    out.add_argument("--all", action="store_true", help="every run")
    out.add_argument("--project", help="every run of this project")
    out.add_argument("--format", choices=sorted(FORMATS), help="default: what the file's suffix says")
    out.add_argument("-o", "--output", metavar="PATH", type=Path, required=True)
    out.set_defaults(act=export)
    back = commands.add_parser("import", help="make new runs of a file that `export` has written")
    back.add_argument("file", metavar="FILE", type=Path)
    back.add_argument("--format", choices=sorted(FORMATS), help="default: what the file's suffix says")
    back.set_defaults(act=import_runs)


def export(arguments: argparse.Namespace) -> int:
    """``trackside export RUN… -o PATH``."""
    if [bool(arguments.runs), arguments.all, arguments.project is not None].count(True) != 1:
        raise UsageMistake(
            "Which runs? Nothing was exported.", "trackside export RUN… -o FILE, or --project NAME, or --all"
        )
    format_of(arguments.output, arguments.format)
    with opened(arguments) as store:
        ids = _wanted(store, arguments)
        progress = Progress("exported")
        points = export_runs(store, ids, arguments.output, arguments.format, progress)
        progress.end()
    print(f"{arguments.output}: {counted(len(ids), 'run')}, {counted(points, 'point')}.")
    return 0


def _wanted(store: Store, arguments: argparse.Namespace) -> Sequence[str]:
    """The ids, the oldest first when nobody named them."""
    if arguments.runs:
        return chosen(store, arguments.runs)
    if arguments.project is not None:
        choose_runs(store, project=arguments.project)  # says which projects there are if it is none of them
    return [run.id for run in reversed(store.runs(arguments.project))]


def import_runs(arguments: argparse.Namespace) -> int:
    """``trackside import FILE``."""
    progress = Progress("imported")
    ids = import_file(arguments.file, data_folder(arguments), arguments.format, progress)
    progress.end()
    for run_id in ids:
        print(run_id)
    print(f"{counted(len(ids), 'run')}, {counted(progress.done, 'point')} of {arguments.file}.")
    return 0


class Progress:
    """One line on stderr that counts, where somebody looks at it.

    Args:
        done: what is done with points, in the past tense.
    """

    def __init__(self, done: str) -> None:
        self.done = 0
        self._word = done
        self._shown = 0.0
        self._seen = sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        self.done = done
        now = time.monotonic()
        if self._seen and now - self._shown > _EVERY_S:
            self._shown = now
            share = f" ({done / total:.0%} of {total:,})" if total else ""
            sys.stderr.write(f"\r{self._word} {counted(done, 'point')}{share}")
            sys.stderr.flush()

    def end(self) -> None:
        """Clears the line."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
