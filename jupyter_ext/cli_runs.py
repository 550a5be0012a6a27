"""``trackside ls | show | compare | rebuild``: the runs in the data folder."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kernel_magics.errors import DataFolderError, UsageMistake
from kernel_magics.figures import (
    View,
    choose_runs,
    comparison_table,
    runs_listing,
    save_comparison,
    words,
    write_html,
    write_png,
)
from kernel_magics.figures.listing import where_hints
from kernel_magics.figures.table import columns_of_text
from kernel_magics.model import RunInfo, counted
from kernel_magics.store import Store, open_store

from .encode import array, dumps, light_run, record
from .terminal import one_line

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    ls = commands.add_parser("ls", help="list the runs, newest first")
    ls.add_argument("project", nargs="?", help="only the runs of this project")
    ls.add_argument("--project", dest="also", metavar="PROJECT", help="the same")
    ls.add_argument("--where", metavar="FILTER", help="only these: 'config.lr < 0.1 and status = finished'")
    ls.add_argument("--limit", type=_count, help="at most so many")
    ls.add_argument("--json", action="store_true", help="as the REST interface spells them")
    ls.set_defaults(act=list_runs)
    show = commands.add_parser("show", help="one run with everything that is recorded about it")
    show.add_argument("run", metavar="RUN", help="an id, the beginning or the end of one, or a name")
    show.add_argument("--packages", action="store_true", help="with the version of every package")
    show.add_argument("--json", action="store_true", help="as the REST interface spells it")
    show.set_defaults(act=show_run)
    compare = commands.add_parser("compare", help="runs side by side; without a RUN: the last ones")
    compare.add_argument(
        "runs", metavar="RUN", nargs="*", help="an id, the beginning or the end of one, or a name"
    )
    compare.add_argument("--project", help="only runs of this project")
    compare.add_argument("--last", metavar="N", type=_count, help="so many of the newest (default: 5)")
    compare.add_argument("--html", metavar="FILE", type=Path, help="write the charts as one page")
    compare.add_argument("--png", metavar="FILE", type=Path, help="write the charts as a picture")
    compare.add_argument(
        "--save",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="write a page (.html), a picture (.png), or a notebook that opens it again (.ipynb)",
    )
    compare.add_argument("--x", default="auto", help="the x axis: step, relative, time, or a metric's name")
    compare.add_argument("--log", action="store_true", help="a logarithmic y axis")
    compare.add_argument(
        "--group-by",
        metavar="KEY",
        help="means of runs with the same group, tags, project, name or config.KEY",
    )
    compare.add_argument(
        "--smoothing", metavar="WEIGHT", type=float, default=0.0, help="weight of the past, from 0 to below 1"
    )
    compare.add_argument("--notes", metavar="TEXT", default="", help="what to write above the charts")
    compare.set_defaults(act=compare_runs)
    rebuild = commands.add_parser("rebuild", help="make the index anew from the journals")
    rebuild.set_defaults(act=rebuild_index)


def list_runs(arguments: argparse.Namespace) -> int:
    """``trackside ls``."""
    project = arguments.project or arguments.also
    if arguments.also not in (None, project):
        raise UsageMistake("Which project? Two were named.", f"trackside ls {project}")
    with opened(arguments) as store:
        runs = store.runs(project, arguments.limit, where=arguments.where)
        if arguments.json:
            print(record(runs=array(light_run(run.to_json()) for run in runs)))
        else:
            print(runs_listing(store, runs, note=_note(store, runs, project, arguments.where)).text)
    return 0


def _note(store: Store, runs: Sequence[RunInfo], project: str | None, where: str | None) -> str:
    """What stands below the list."""
    if runs or where is None:
        return "" if runs else _none(store, project)
    return " ".join(["No run is meant by this filter.", *where_hints(store.runs(project), where)])


def _none(store: Store, project: str | None) -> str:
    """Why nothing is listed, and where was looked: most often it is the wrong folder."""
    if project is None:
        return (
            f"There are no runs in {store.data_dir}. Runs that a notebook shows may lie in another folder:"
            " its TRACKSIDE_DIR, or `trackside --data FOLDER ls`."
        )
    projects = sorted({run.project for run in store.runs()})
    known = ", ".join(map(words.flat_text, projects[:20])) + (" …" if len(projects) > 20 else "")
    where = f"Projects in {store.data_dir}: {known or 'none'}."
    return f"There are no runs in project {words.flat_text(project)}. {where}"


def show_run(arguments: argparse.Namespace) -> int:
    """``trackside show RUN``."""
    with opened(arguments) as store:
        run = store.run(chosen(store, [arguments.run])[0])
        metrics = [f"{one.name} ({one.source})" for one in store.metrics([run.id]).get(run.id, [])]
        artifacts = [] if arguments.json else store.artifacts(run.id)
    if arguments.json:
        print(dumps(run.to_json()))
        return 0
    lines = _facts(run, arguments.packages)
    lines += [("metric", words.flat_text(metric)) for metric in metrics]
    lines += [("artifact", _artifact(artifact)) for artifact in artifacts]
    print(columns_of_text(lines))
    if run.error:
        print("\n" + _plain("\n".join(run.error.get("traceback") or [str(run.error.get("evalue", ""))])))
    return 0


def compare_runs(arguments: argparse.Namespace) -> int:
    """``trackside compare RUN…``: a table, and the charts as files when asked for."""
    with opened(arguments) as store:
        run_ids = chosen(store, arguments.runs, arguments.project, arguments.last)
        print(comparison_table(store, run_ids).text)
        view = View(arguments.x, arguments.log, arguments.group_by, arguments.smoothing, arguments.notes)
        if arguments.html:
            print(f"\n{write_html(store, run_ids, arguments.html, view)}")
        if arguments.png:
            print(f"\n{_picture(store, run_ids, arguments.png, view)}")
        for path in arguments.save:
            print(f"\n{save_comparison(store, run_ids, path, view)}")
    return 0


def rebuild_index(arguments: argparse.Namespace) -> int:
    """``trackside rebuild``."""
    started = time.monotonic()
    with opened(arguments) as store:
        store.rebuild()
        count = len(store.runs())
    took = time.monotonic() - started
    print(f"The index is made anew from the journals: {counted(count, 'run')} in {took:.1f} s.")
    return 0


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Store]:
    """The store that the command is about, with everything in it that the journals hold by now."""
    if arguments.data and not Path(arguments.data).is_dir():
        raise UsageMistake(f"There is no folder {arguments.data}.", "leave --data out, or name a data folder")
    with open_store(arguments.data) as store:
        store.refresh()
        yield store


def chosen(
    store: Store, wanted: Sequence[str], project: str | None = None, last: int | None = None
) -> tuple[str, ...]:
    """The ids of the runs that ``wanted`` means, in its order; what had to be guessed is said on stderr."""
    choice = choose_runs(store, wanted, project, last)
    if choice.reason:
        print(choice.reason, file=sys.stderr)
    return choice.run_ids


def _picture(store: Store, run_ids: Sequence[str], path: Path, view: View) -> Path:
    if not path.resolve().parent.is_dir():
        raise DataFolderError(
            f"The picture was not made: there is no folder {path.parent}.", "name another file"
        )
    with tempfile.TemporaryDirectory(prefix="trackside-") as folder:
        page = write_html(store, run_ids, Path(folder, "compare.html"), view)
        return write_png(page, path)


def _facts(run: RunInfo, packages: bool) -> list[tuple[str, str]]:
    """What is known of a run, one line each: recorded values in short, packages counted, and without what is
    not there."""
    status = f"{run.status}: {run.status_detail}" if run.status_detail else str(run.status)
    lines = [("id", run.id), ("name", run.name), ("project", run.project), ("status", status)]
    lines += [("group", run.group or ""), ("tags", ", ".join(run.tags)), ("notes", run.notes)]
    lines += [("created", words.moment(run.created)), ("took", words.run_duration(run))]
    source = words.price_source(run)
    lines += [("cost", words.run_cost(run) + (f" ({source})" if source else ""))]
    for part in ("config", "summary", "facts"):
        prefix = "" if part == "facts" else f"{part} "
        values = dict(getattr(run, part))
        installed = values.get("packages")
        if part == "facts" and isinstance(installed, dict) and not packages:
            values["packages"] = f"{len(installed):,} (--packages lists them)"
        values = words.flatten(values)
        lines += [(words.flat_text(f"{prefix}{key}"), words.value(value)) for key, value in values.items()]
    return [(name, one_line(value)) for name, value in lines if value]


def _artifact(artifact: dict[str, Any]) -> str:
    """Its name and kind, and where its bytes are."""
    kind = f" ({artifact['type']})" if artifact.get("type") else ""
    path = "".join(letter for letter in str(artifact.get("path") or "") if letter.isprintable())
    return f"{words.flat_text(str(artifact.get('name', '')) + kind)}  {path}".rstrip()


def _plain(text: str) -> str:
    """Without colours, and without anything else that could steer the terminal."""
    letters = _COLOURS.sub("", text)
    return "".join(letter for letter in letters if letter.isprintable() or letter in "\n\t")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count")
    return int(text)
