"""``%gpu_push``, ``%gpu_pull``: variables between the notebook's own kernel and the one its cells run on."""

from __future__ import annotations

import contextlib
import keyword
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

from gpu_provisioner.agent.parcel import CLOUDPICKLE, DATA, PICKLE, has_cloudpickle
from gpu_provisioner.agent.parcel_data import CannotTravel
from gpu_provisioner.agent.places import private_folder
from gpu_provisioner.agent.variables import read_parcel, write_parcel
from gpu_provisioner.errors import TransferError
from gpu_provisioner.home import home_folder
from gpu_provisioner.model import Lease
from gpu_provisioner.transfer import Transfers
from kernel_magics.bridge.bridge import Bridge
from kernel_magics.bridge.calls import Calls
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.errors import UsageMistake
from kernel_magics.magics.suggestion import did_you_mean
from kernel_magics.magics.transfer_display import Publish, TransferLine, size_text

MODULE = "gpu_provisioner.agent.variables"
"""What answers over there."""

Ask = Callable[..., Dict[str, Any]]
"""``ask(verb, **arguments)``; see :data:`gpu_provisioner.agent.variables.VERBS`."""

_OF_THE_KERNEL = re.compile(r"__\w+__|_{1,3}|_i{1,3}|_i?\d+|_[iod]h|In|Out|get_ipython|exit|quit")
"""What IPython keeps in the user's namespace (its documentation, *Output caching system*), and what makes a
module of it."""

_ONLY_DATA = "numbers, text, lists, dicts and sets of such, numpy arrays and torch tensors"


@dataclass(frozen=True)
class Road:
    """The way to the other kernel.

    Attributes:
        machine: what the user calls it.
        ask: a question to the kernel over there.
        transfers: brings files over.
        publish: shows something in the running cell.
    """

    machine: str
    ask: Ask
    transfers: Transfers
    publish: Publish


def road_over(local: LocalKernel, bridge: Bridge, lease: Lease, publish: Publish) -> Road:
    """The way to the kernel that ``bridge`` joins."""

    def is_up() -> bool:
        if bridge.ended is not None:
            raise TransferError(f"{bridge.machine} is gone. {bridge.ended}", "%gpu_status")
        return bridge.holder.down_since is None

    calls = Calls(local, bridge.remote, MODULE, lambda: bridge.holder.command("interrupt"))
    return Road(bridge.machine, calls, Transfers(lease, is_up), publish)


class Variables:
    """Variables of two kernels.

    Args:
        shell: IPython's, of the notebook's own kernel.
    """

    def __init__(self, road: Road, shell: Any, data_dir: Path, lease: Lease) -> None:
        self._road, self._here, self._hidden = road, shell.user_ns, shell.user_ns_hidden
        self._folder = home_folder(data_dir, lease.id) / "exchange"

    def push(self, names: Sequence[str]) -> None:
        """``%gpu_push``: each as it is now; a variable of that name over there is replaced.

        Raises:
            UsageMistake: no such variable here; nothing was sent.
            TransferError: one cannot go; those before it are there.
        """
        _check_names(names, "%gpu_push")
        for name in names:
            if name not in self._here:
                raise UsageMistake(
                    f"There is no variable {name!r} in this notebook's own kernel"
                    f"{did_you_mean(name, self._own_names())} Nothing was sent.",
                    "%%local in the cell that makes it, or %gpu_pull if it is over there",
                )
        with self._one_by_one("pushed", names) as done:
            way = self._way()
            for name in names:
                self._push_one(name, way)
                done.append(name)

    def pull(self, names: Sequence[str]) -> None:
        """``%gpu_pull``: each as it is now; a variable of that name here is replaced.

        Raises:
            TransferError: one cannot come; those before it are here.
        """
        _check_names(names, "%gpu_pull")
        with self._one_by_one("pulled", names) as done:
            way = self._way()
            for name in names:
                self._pull_one(name, way)
                done.append(name)

    def _push_one(self, name: str, way: _Way) -> None:
        with TransferLine(self._road.publish, f"`{name}` to {self._road.machine}") as line:
            line.say("packing")
            path = private_folder(self._folder) / secrets.token_hex(16)
            try:
                facts = write_parcel(self._here[name], path, way.mode)
            except CannotTravel as reason:
                raise self._cannot(name, str(reason), way, self._here[name]) from None
            except OSError as error:
                raise TransferError(
                    f"`{name}` cannot be packed in {path.parent}: {error.strerror}."
                ) from None
            with _removed(path):
                self._road.transfers.store(path, path.name, facts["digest"], line.advance)
            line.say("unpacking there")
            answer = self._road.ask("bind", name=name, mode=way.mode, parcel=path.name)
            if "error" in answer:
                raise self._cannot(name, answer["error"], way)
            line.done(f"{_sentence(name, facts, line, 'pushed to ' + self._road.machine)}{_moved(facts)}")

    def _pull_one(self, name: str, way: _Way) -> None:
        with TransferLine(self._road.publish, f"`{name}` from {self._road.machine}") as line:
            line.say("packing there")
            facts = self._road.ask("wrap", name=name, mode=way.mode)
            if "error" in facts:
                raise self._cannot(name, facts["error"], way)
            path = private_folder(self._folder) / secrets.token_hex(16)
            with _removed(path):
                self._road.transfers.fetch_parcel(
                    facts["parcel"], int(facts["size"]), facts["digest"], path, line.advance
                )
                line.say("unpacking")
                try:
                    self._here[name] = read_parcel(path, way.mode)
                except CannotTravel as reason:
                    raise self._cannot(name, str(reason).replace("there", "here"), way) from None
            self._road.ask("discard", parcel=facts["parcel"])
            line.done(f"{_sentence(name, facts, line, 'pulled from ' + self._road.machine)}{_moved(facts)}")

    def _own_names(self) -> List[str]:
        return [name for name in self._here if name not in self._hidden and not name.startswith("_")]

    def _way(self) -> _Way:
        """Which kinds of parcel both kernels understand. What an interrupted transfer left is thrown away."""
        for left in self._folder.glob("*"):
            left.unlink()
        there = self._road.ask("meet")
        here = list(sys.version_info[:2])
        if there["python"] != here:
            versions = f"Python {_version(here)} here and {_version(there['python'])} there"
            return _Way(DATA, f"With {versions} only data goes: {_ONLY_DATA}.")
        missing = [] if has_cloudpickle() else ["here"]
        missing += [] if there["cloudpickle"] else ["there"]
        if missing:
            where = " and ".join(missing)
            return _Way(PICKLE, f"What the notebook itself defines needs cloudpickle, missing {where}.")
        return _Way(CLOUDPICKLE, "")

    def _cannot(self, name: str, reason: str, way: _Way, value: Optional[Any] = None) -> TransferError:
        told = f"`{name}` was not brought over: {reason.rstrip('.')}. {way.why}".strip()
        if way.mode == DATA or hasattr(value, "state_dict"):
            return TransferError(told, f"its data, e.g. state = {name}.state_dict() of a model, by that name")
        return TransferError(told, "the cell that makes it, run where it is needed")

    @contextlib.contextmanager
    def _one_by_one(self, did: str, names: Sequence[str]) -> Iterator[List[str]]:
        """Says which ones are over when it ends in the middle."""
        done: List[str] = []
        try:
            yield done
        except KeyboardInterrupt:
            raise TransferError(f"Interrupted. {_tally(did, done, names)}", "again") from None
        except TransferError as error:
            if len(names) > 1:
                error.message += f" {_tally(did, done, names)}"
            raise


@dataclass(frozen=True)
class _Way:
    """``mode``: what may be packed; ``why``: why it is not more, a sentence or ``""``."""

    mode: str
    why: str


def _check_names(names: Sequence[str], magic: str) -> None:
    if not names:
        raise UsageMistake(f"{magic} needs to know which variables. Nothing was done.", f"{magic} model")
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise UsageMistake(
                f"{name!r} is no name of a variable; an expression gets one first. Nothing was done.",
                f"weights = …, then {magic} weights",
            )
        if _OF_THE_KERNEL.fullmatch(name):
            raise UsageMistake(
                f"{name!r} belongs to the kernel itself: each has its own, and the other's would break it. "
                "Nothing was done.",
                f"mine = {name}, then {magic} mine, if it is its value that is wanted",
            )


def _tally(did: str, done: Sequence[str], names: Sequence[str]) -> str:
    left = [name for name in names if name not in done]
    before = f"{_listed(done)} {'was' if len(done) == 1 else 'were'} {did}; " if done else ""
    return f"{before}{_listed(left)} {'was' if len(left) == 1 else 'were'} not."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _sentence(name: str, facts: Mapping[str, Any], line: TransferLine, did: str) -> str:
    size = size_text(int(facts["size"]))
    return f"`{name}` ({facts['what']}, {size}) {did} in {line.elapsed_s:.1f} s; its SHA-256 was compared."


def _moved(facts: Mapping[str, Any]) -> str:
    return f" Tensors of {facts['moved']} arrive on the CPU." if facts["moved"] else ""


def _version(parts: Sequence[int]) -> str:
    return ".".join(map(str, parts))


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
