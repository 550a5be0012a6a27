"""``trackside login NAME``: let a machine ask in a terminal, while the notebook's kernel waits for it."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from gpu_provisioner.config import host_target
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.providers import provider_of, provider_of_lease
from gpu_provisioner.providers.base import LogsIn, NobodyToAsk
from kernel_magics.errors import UsageMistake
from kernel_magics.figures import words

from .cli_machines import data_folder
from .offers import targets


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the command of this module."""
    login = commands.add_parser(
        "login", help="log in to a machine that asks for a password or a second factor"
    )
    login.add_argument("name", metavar="NAME", help="a lease, a target of trackside.toml, or an ssh host")
    login.set_defaults(act=log_in)


def log_in(arguments: argparse.Namespace) -> int:
    """``trackside login NAME``."""
    name = words.flat_text(arguments.name)
    provider = _provider(LeaseBook(data_folder(arguments)), arguments.name)
    if not isinstance(provider, LogsIn):
        print(f"{name} asks for nothing.")
        return 0
    provider.log_in(_ask)
    print(f"The way to {name} is open; what waits for it tries again within half a minute.")
    return 0


def _provider(book: LeaseBook, name: str) -> Any:
    leases = [lease for lease in book.live() if name in (lease.name, lease.id)]
    if leases:
        return provider_of_lease(leases[0])
    named = [target for target in targets() if target.name == name]
    target = named[0] if named else host_target(name)
    if target is None:
        raise UsageMistake(
            f"Nothing is called {words.flat_text(name)}: no lease, no target, no ssh host.",
            "trackside leases, or trackside config check",
        )
    return provider_of(target, lambda: ())


def _ask(question: str, said: str) -> str:
    if not sys.stdin.isatty():
        raise NobodyToAsk
    if said:
        print(said, file=sys.stderr, flush=True)
    return getpass.getpass(f"{question} ")
