"""``trackside leases | release | reap``: the machines that kernels hold, and those nobody knows of."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gpu_provisioner import provisioner, reaper
from gpu_provisioner.errors import ConfigurationError, LeaseError, ProvisionError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from kernel_magics import paths
from kernel_magics.errors import UsageMistake
from kernel_magics.figures import words
from kernel_magics.figures.table import columns_of_text

from .encode import array, record
from .errors import UnknownLease
from .leases import public
from .offers import targets
from .terminal import one_line

_LATELY_S = 24 * 3600.0
_LOOK_LIMIT_S = 8.0


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    leases = commands.add_parser("leases", help="the machines that kernels hold or held")
    leases.add_argument("--json", action="store_true", help="as the REST interface spells them")
    leases.set_defaults(act=list_leases)
    give_back = commands.add_parser(
        "release", help="release a machine; its kernel ends, what it recorded is kept"
    )
    give_back.add_argument("lease", metavar="LEASE", help="an id, or the name of a lease that is not over")
    give_back.set_defaults(act=release_lease)
    ends = commands.add_parser("reap", help="machines that run for you although no lease here says so")
    ends.add_argument("leases", metavar="LEASE", nargs="*", help="their ids; default: those begun from here")
    ends.add_argument("--yes", action="store_true", help="end them; what they recorded comes home first")
    ends.set_defaults(act=reap_orphans)


def data_folder(arguments: argparse.Namespace) -> Path:
    """The data folder that the command is about."""
    return Path(arguments.data).expanduser().absolute() if arguments.data else paths.data_dir()


def list_leases(arguments: argparse.Namespace) -> int:
    """``trackside leases``."""
    book = LeaseBook(data_folder(arguments))
    with suppress(LeaseError):  # the data folder cannot be written: shown as they were last written down
        provisioner.refresh(book)
    leases = book.all()
    if arguments.json:
        folder = data_folder(arguments)
        print(record(leases=array(public(lease, folder) for lease in leases)))
    elif leases:
        head = ("ID", "NAME", "STATE", "DEVICE", "MACHINE", "NOTEBOOK", "CREATED", "$/H")
        print(columns_of_text([head, *map(_row, leases)]))
    else:
        print("No leases.")
    if not arguments.json:
        _tell_endings(leases)
        _tell_orphans(book)
    return 0


def _tell_endings(leases: Sequence[Lease]) -> None:
    """Why those that are lost are, and what is kept of them."""
    for lease in leases:
        if lease.state == LeaseState.LOST and time.time() - (lease.released or 0.0) < _LATELY_S:
            print(f"\n{lease.id}: {one_line(lease.detail)}")


def _tell_orphans(book: LeaseBook) -> None:
    """What runs without a lease, as far as the targets tell within a few seconds."""
    try:
        orphans, problems = reaper.find_orphans(targets(), book, _LOOK_LIMIT_S)
    except ConfigurationError as error:
        print(f"Not asked for machines without a lease: {error.message}", file=sys.stderr)
        return
    if orphans:
        named = ", ".join(f"{orphan.lease.id} on {one_line(orphan.lease.machine)}" for orphan in orphans)
        print(f"\nWithout a lease here: {named}. `trackside reap` says more, and ends them.")
    for problem in problems:
        told = one_line(problem.message)
        print(f"Not asked for machines without a lease: {problem.target}: {told}", file=sys.stderr)


def release_lease(arguments: argparse.Namespace) -> int:
    """``trackside release LEASE``."""
    data_dir = data_folder(arguments)
    book = LeaseBook(data_dir)
    lease = _find(book, arguments.lease)
    provisioner.release(lease, data_dir, by="the user, by `trackside release`")
    print(f"{words.flat_text(lease.name)} ({lease.id}) is released.")
    return 0


def reap_orphans(arguments: argparse.Namespace) -> int:
    """``trackside reap [LEASE…] [--yes]``. The status is 1 when a target could not be asked or ended."""
    data_dir = data_folder(arguments)
    orphans, problems = reaper.find_orphans(targets(), LeaseBook(data_dir))
    meant = reaper.chosen(orphans, arguments.leases)
    failed = bool(problems)
    if arguments.yes:
        ended = [_reap(orphan, data_dir) for orphan in meant]
        failed = failed or not all(ended)
    elif orphans:
        head = ("ID", "DEVICE", "MACHINE", "SINCE", "BEGUN FROM")
        print(columns_of_text([head, *map(_orphan_row, orphans)]))
        if meant:
            print(f"\n`trackside reap --yes` ends {_counted(len(meant))} begun from this data folder.")
        if len(meant) < len(orphans) and not arguments.leases:
            print("\nThose begun from elsewhere may be in use there; name one to end it.")
    if not (meant if arguments.yes else orphans):
        print("No machine runs for you without a lease here, as far as could be asked.")
    for problem in problems:
        print(f"Not asked: {problem.target}: {problem.message}", file=sys.stderr)
    return int(failed)


def _reap(orphan: reaper.Orphan, data_dir: Path) -> bool:
    try:
        reaper.reap(orphan, data_dir)
    except ProvisionError as error:
        print(f"{orphan.lease.id} was not ended: {error}", file=sys.stderr)
        return False
    print(f"{orphan.lease.id} on {words.flat_text(orphan.lease.machine)} is ended.")
    return True


def _orphan_row(orphan: reaper.Orphan) -> tuple[str, ...]:
    lease = orphan.lease
    owner = "this data folder" if orphan.ours else orphan.owner or "unknown"
    facts = (lease.id, lease.device, lease.machine or lease.target)
    return (*map(words.flat_text, facts), words.moment(lease.created), words.flat_text(owner))


def _counted(number: int) -> str:
    return "the one" if number == 1 else f"the {number:,}"


def _find(book: LeaseBook, text: str) -> Lease:
    named = [lease for lease in book.all() if lease.id == text] or [
        one for one in book.live() if one.name == text
    ]
    if not named:
        raise UnknownLease(
            f"No lease here is called {words.flat_text(text)}; nothing was released.", "trackside leases"
        )
    if len(named) > 1:
        ids = ", ".join(lease.id for lease in named)
        raise UsageMistake(f"{words.flat_text(text)} means {len(named)} leases: {ids}.", "name one by its id")
    return named[0]


def _row(lease: Lease) -> tuple[str, ...]:
    price = "" if lease.usd_per_hour is None else f"{lease.usd_per_hour:.2f}"
    facts = (lease.id, lease.name, str(lease.state), lease.device, lease.machine, lease.notebook or "")
    return (*map(words.flat_text, facts), words.moment(lease.created), price)
