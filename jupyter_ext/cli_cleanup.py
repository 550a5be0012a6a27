"""``trackside rm | restore | gc``: deleting runs, bringing them back, making room."""

from __future__ import annotations

import argparse
import re

from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.figures import words
from kernel_magics.model import counted
from kernel_magics.store import cleanup, trash

from .cli_machines import data_folder
from .cli_runs import chosen, opened

_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    rm = commands.add_parser("rm", help="delete runs; `restore` brings them back, `gc` frees their space")
    rm.add_argument(
        "runs", metavar="RUN", nargs="+", help="an id, the beginning or the end of one, or a name"
    )
    rm.set_defaults(act=remove)
    back = commands.add_parser("restore", help="bring deleted runs back; without a RUN: list them")
    back.add_argument("runs", metavar="RUN", nargs="*", help="an id, or the beginning or the end of one")
    back.set_defaults(act=restore)
    gc = commands.add_parser(
        "gc", help="free space: empty the trash, delete old runs and unused files, put edits together"
    )
    gc.add_argument(
        "--older-than", metavar="AGE", type=_age, help="delete runs that ended so long ago: 90d, 12h"
    )
    gc.add_argument("--quota", metavar="SIZE", type=_size, help="delete the oldest runs above this: 20GB")
    gc.add_argument("--yes", action="store_true", help="do it; without this it only says what it would do")
    gc.set_defaults(act=collect)


def remove(arguments: argparse.Namespace) -> int:
    """``trackside rm RUN…``."""
    with opened(arguments) as store:
        for run_id in chosen(store, arguments.runs):
            store.delete(run_id)
            print(f"{run_id} is in the trash.  trackside restore {run_id}")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """``trackside restore [RUN…]``."""
    data_dir = data_folder(arguments)
    known = trash.trashed(data_dir)
    if not arguments.runs:
        print("\n".join(known) or "The trash is empty.")
        return 0
    for run_id in [_in_trash(known, text) for text in arguments.runs]:
        trash.restore(data_dir, run_id)
        print(f"{run_id} is back.")
    return 0


def collect(arguments: argparse.Namespace) -> int:
    """``trackside gc``: a dry run, or with ``--yes`` the deed."""
    with opened(arguments) as store:
        planned = cleanup.plan(store, arguments.older_than, arguments.quota)
        for one in (*planned.trash, *planned.runs):
            print(f"{one.run_id}  {human(one.size):>10}  {words.flat_text(one.name)}  ({one.why})")
        if planned.blobs:
            files = counted(len(planned.blobs), "file")
            print(f"{files} that no run refers to  {human(planned.blob_bytes):>10}")
        if planned.edits:
            journals = counted(sum(one.journals for one in planned.edits), "journal")
            print(f"{journals} of edits become {len(planned.edits):,}; nothing of them is lost")
        noted = len(planned.notes)
        freed = cleanup.carry_out(store, planned) if arguments.yes else planned.freed
    for number, note in enumerate(planned.notes):
        print(note if number < noted else f"Left alone: {note}")
    if arguments.yes:
        print(f"Freed {human(freed)} of {human(planned.total)}.")
    elif freed or planned.edits:
        print(f"This would free {human(freed)} of {human(planned.total)}, for good.  trackside gc … --yes")
    else:
        print(f"There is nothing to free; the data folder holds {human(planned.total)}.")
    return 0


def human(size: int) -> str:
    """Bytes as people read them; decimal units, as disks are sold."""
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("kB", 1)):
        if size >= 1000**power:
            return f"{size / 1000**power:,.1f} {unit}"
    return f"{size} B"


def _in_trash(known: list[str], text: str) -> str:
    found = [run_id for run_id in known if run_id.startswith(text) or run_id.endswith(text)]
    if text in known:
        return text
    if not found or len(text) < 3:
        raise UnknownRun(f"There is no run {words.flat_text(text)} in the trash.", "trackside restore")
    if len(found) > 1:
        raise UsageMistake(
            f"{words.flat_text(text)} means {len(found)} runs in the trash: {', '.join(found)}."
        )
    return found[0]


def _age(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write 90d, 12h, 2w or 30m")
    return float(found[1]) * _SECONDS[found[2]]


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if not found or (found[3] and not found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 20GB, 500MB or 1TiB")
    power = _UNITS[found[2].upper()] if found[2] else 0
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)
