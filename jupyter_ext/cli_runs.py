"""``trackside ls | show | compare | rebuild``: the runs in the data folder."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.model import RunInfo, RunStatus, is_run_id
from kernel_magics.store import Store, open_store

from .cli_text import flat, moment, number, shown, span, table
from .encode import array, dumps, light_run, record

MOST_COLUMNS = 4
"""Summary values that ``ls`` shows beside a run."""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    ls = commands.add_parser("ls", help="list the runs, newest first")
    ls.add_argument("--project", help="only the runs of this project")
    ls.add_argument("--limit", type=_count, help="at most so many")
    ls.add_argument("--json", action="store_true", help="as the REST interface spells them")
    ls.set_defaults(act=list_runs)
    show = commands.add_parser("show", help="one run with everything that is recorded about it")
    show.add_argument("run", metavar="RUN", help="an id, the beginning of one, or a name")
    show.add_argument("--json", action="store_true", help="as the REST interface spells it")
    show.set_defaults(act=show_run)
    compare = commands.add_parser("compare", help="runs side by side")
    compare.add_argument("runs", metavar="RUN", nargs="+")
    compare.add_argument("--html", metavar="FILE", type=Path, help="write the charts as one page")
    compare.add_argument("--png", metavar="FILE", type=Path, help="write the charts as a picture")
    compare.set_defaults(act=compare_runs)
    rebuild = commands.add_parser("rebuild", help="make the index anew from the journals")
    rebuild.set_defaults(act=rebuild_index)


def list_runs(arguments: argparse.Namespace) -> int:
    """``trackside ls``."""
    with opened(arguments) as store:
        runs = store.runs(project=arguments.project, limit=arguments.limit)
    if arguments.json:
        print(record(runs=array(light_run(run.to_json()) for run in runs)))
    elif runs:
        print(_listing(runs), end="")
    else:
        print("No runs" + (f" in project {shown(arguments.project)}." if arguments.project else " yet."))
    return 0


def show_run(arguments: argparse.Namespace) -> int:
    """``trackside show RUN``."""
    with opened(arguments) as store:
        run = store.run(find(store, arguments.run))
        metrics = store.metrics([run.id]).get(run.id, [])
    if arguments.json:
        print(dumps(run.to_json()))
        return 0
    facts = [("id", run.id), ("name", run.name), ("project", run.project), ("status", _status(run))]
    facts += [("group", run.group or ""), ("tags", ", ".join(run.tags)), ("created", moment(run.created))]
    facts += [("took", span(_took(run)))]
    facts += [(f"config {key}", number(value)) for key, value in flat(run.config).items()]
    facts += [(f"summary {key}", number(value)) for key, value in flat(run.summary).items()]
    facts += [("metric", f"{metric.name} ({metric.source})") for metric in metrics]
    facts += [(key, number(value)) for key, value in flat(run.facts).items() if value not in ({}, [], "")]
    print(table(("what", "value"), [(key, value) for key, value in facts if value != ""]), end="")
    if run.error:
        print("\n" + "\n".join(run.error.get("traceback") or [str(run.error.get("evalue", ""))]))
    return 0


def compare_runs(arguments: argparse.Namespace) -> int:
    """``trackside compare RUN…``: a table, and the charts as files when asked for."""
    with opened(arguments) as store:
        runs = [store.run(run_id) for run_id in dict.fromkeys(find(store, text) for text in arguments.runs)]
        print(_side_by_side(runs), end="")
        if arguments.html or arguments.png:
            _write_charts(store, [run.id for run in runs], arguments.html, arguments.png)
    return 0


def rebuild_index(arguments: argparse.Namespace) -> int:
    """``trackside rebuild``."""
    started = time.monotonic()
    with opened(arguments) as store:
        store.rebuild()
        count = len(store.runs())
    print(
        f"The index holds {count:,} runs again, made from the journals in {time.monotonic() - started:.1f} s."
    )
    return 0


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Store]:
    """The store that the command is about, with everything in it that the journals hold by now."""
    with open_store(arguments.data) as store:
        store.refresh()
        yield store


def find(store: Store, text: str) -> str:
    """The id of the one run that ``text`` means: its id, the beginning of it, or its name.

    Raises:
        UnknownRun: none.
        UsageMistake: several.
    """
    runs = store.runs(ids=[text]) if is_run_id(text) else []
    every = runs or store.runs()
    found = (
        runs
        or [run for run in every if run.id.startswith(text)]
        or [run for run in every if run.name == text]
    )
    if not found:
        raise UnknownRun(f"No run here is or begins with {shown(text)}.", "trackside ls")
    if len(found) > 1:
        ids = ", ".join(run.id for run in found[:5]) + (", …" if len(found) > 5 else "")
        raise UsageMistake(f"{shown(text)} means {len(found)} runs: {ids}.", "name one by its id")
    return found[0].id


def _listing(runs: Sequence[RunInfo]) -> str:
    names = list(dict.fromkeys(key for run in runs for key in flat(run.summary)))[:MOST_COLUMNS]
    head = ("ID", "PROJECT", "NAME", "STATUS", "CREATED", "TOOK", *names)
    rows = []
    for run in runs:
        last = flat(run.summary)
        facts = (run.id, run.project, run.name, str(run.status), moment(run.created), span(_took(run)))
        rows.append((*facts, *(number(last.get(name)) for name in names)))
    return table(head, rows)


def _side_by_side(runs: Sequence[RunInfo]) -> str:
    """One row for each value; ``≠`` marks those in which the runs differ."""
    rows = [("", "id", *(run.id for run in runs)), ("", "status", *(_status(run) for run in runs))]
    rows.append(("", "took", *(span(_took(run)) for run in runs)))
    for part in ("config", "summary"):
        columns = [flat(getattr(run, part)) for run in runs]
        for key in dict.fromkeys(key for column in columns for key in column):
            values = [number(column[key]) if key in column else "" for column in columns]
            rows.append(("≠" if len(set(values)) > 1 else "", f"{part} {key}", *values))
    return table(("", "", *(run.name for run in runs)), rows)


def _status(run: RunInfo) -> str:
    return f"{run.status}: {run.status_detail}" if run.status_detail else str(run.status)


def _took(run: RunInfo) -> float | None:
    if run.finished is None:
        return time.time() - run.created if run.status is RunStatus.RUNNING else None
    return run.finished - run.created


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a count")
    return int(text)
