"""Files to and from a lease's machine, each over a carrier of its own, resumed as often as the line breaks.

A carrier that breaks is followed by another that goes on where the bytes ended; the SHA-256 of the whole is
compared at the end. The far half is :mod:`gpu_provisioner.agent.streams`.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple

from gpu_provisioner import wire
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import ProvisionError, TransferError
from gpu_provisioner.model import Lease
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.stub import ask, stub_command, talk
from gpu_provisioner.transfer_carrier import (
    FarFile,
    Getting,
    OnAdvance,
    Progress,
    Putting,
    Wanted,
    size_of,
)

_HANDSHAKE_LIMIT_S = 60.0
_BACKOFF_SHARE, _BACKOFF_MIN_S, _BACKOFF_MAX_S = 0.1, 0.1, 30.0
_FRUITLESS = 8
"""So many carriers in a row that brought nothing, while the kernel's own line is up, mean that none will."""


@dataclass(frozen=True)
class Listing:
    """What is to be fetched; ``left`` are names of what will not be (links, pipes)."""

    root: str
    folder: bool
    files: Tuple[FarFile, ...]
    left: Tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


class Transfers:
    """Brings files over for one lease.

    Args:
        line: whether the kernel's own line is up, or a sentence why there is nothing to go on with (raised).
    """

    def __init__(self, lease: Lease, line: Callable[[], bool]) -> None:
        self._lease = lease
        self._line = line

    def listing(self, path: str) -> Listing:
        """What ``path`` (absolute) is over there.

        Raises:
            TransferError: it is nothing that could be fetched.
            ProvisionError: the machine did not answer.
        """
        provider = provider_of_lease(self._lease)
        argv = provider.carrier_argv(self._lease, stub_command(self._python))
        answer = ask(argv, self._header("list", path=path), _HANDSHAKE_LIMIT_S, provider.explain)
        if "error" in answer:
            raise TransferError(f"{answer['error']} Nothing was fetched.")
        files = tuple(
            FarFile(_inside(each["path"]), int(each["size"]), int(each["mtime_ns"]), bool(each["executable"]))
            for each in answer["files"]
        )
        left = tuple(str(name) for name in answer["left"])
        return Listing(str(answer["root"]), bool(answer["folder"]), files, left)

    def fetch(
        self, root: str, wanted: Sequence[Wanted], keep: Callable[[Wanted, bool], None], on: OnAdvance
    ) -> None:
        """Fetch files of ``root`` into their parts, going on with parts that are there.

        Args:
            keep: called with each file that is whole, and whether it changed while it was read.

        Raises:
            TransferError: the machine refused, or this disk; the parts stay for another try.
        """
        left = list(wanted)
        getting = Getting(left, keep, on)

        def once(carrier: Carrier, rest: bytes) -> None:
            getting.take(carrier, rest)

        def header() -> Mapping[str, Any]:
            files = [{"path": each.file.path, "offset": size_of(each.part)} for each in left]
            return self._header("fetch", root=root, files=files)

        self._over_and_over(header, once, lambda: not left, getting.progress)

    def fetch_parcel(self, name: str, size: int, digest: str, part: Path, on: OnAdvance) -> None:
        """Fetch a parcel that the kernel has left, and see that it is the one it meant."""
        wanted = Wanted(FarFile(name, size, 0), part)
        left = [wanted]
        getting = Getting(left, lambda *_: None, on)

        def header() -> Mapping[str, Any]:
            files = [{"path": name, "offset": size_of(part)}]
            return self._header("fetch", parcel=name, files=files)

        self._over_and_over(header, getting.take, lambda: not left, getting.progress)
        if getting.digests[name] != digest:
            raise TransferError("It arrived as something else than was sent; nothing was changed here.")

    def store(self, path: Path, name: str, digest: str, on: OnAdvance) -> None:
        """Send the file ``path``, whose SHA-256 is ``digest``, as the parcel ``name``."""
        putting = Putting(path, on)
        head = self._header("store", parcel=name, bytes=putting.size, sha256=digest)
        self._over_and_over(lambda: head, putting.send, lambda: putting.is_whole, putting.progress)

    # ------------------------------------------------------------------ carriers that come and go

    @property
    def _python(self) -> str:
        return str(self._lease.handle.get("python") or "python3")

    def _header(self, mode: str, **more: Any) -> Dict[str, Any]:
        return {
            "mode": mode,
            "lease": self._lease.id,
            "env": dict(self._lease.handle.get("env") or {}),
            **more,
        }

    def _over_and_over(
        self,
        header: Callable[[], Mapping[str, Any]],
        once: Callable[[Carrier, bytes], None],
        is_done: Callable[[], bool],
        progress: Progress,
    ) -> None:
        """Open carriers until all is done; a tenth of the outage so far lies between two of them."""
        moved_at, moved, fruitless = time.monotonic(), progress.done, 0
        while not is_done():
            trouble = self._try(header(), once)
            if is_done():
                return
            if progress.done != moved:
                moved_at, moved, fruitless = time.monotonic(), progress.done, 0
            else:
                fruitless += 1
            if self._line() and fruitless >= _FRUITLESS:
                raise TransferError(
                    f"Nothing comes through, though the kernel is there: {trouble}", "try again"
                )
            progress.say(trouble)
            outage = time.monotonic() - moved_at
            pause = min(_BACKOFF_MAX_S, max(_BACKOFF_MIN_S, _BACKOFF_SHARE * outage))
            time.sleep(pause * random.uniform(0.7, 1.3))

    def _try(self, header: Mapping[str, Any], once: Callable[[Carrier, bytes], None]) -> str:
        """One carrier, to its end; why it ended too early."""
        provider = provider_of_lease(self._lease)
        try:
            argv = provider.carrier_argv(self._lease, stub_command(self._python))
            carrier, rest, _ = talk(argv, header, _HANDSHAKE_LIMIT_S, provider.explain)
        except ProvisionError as error:
            return error.message
        try:
            once(carrier, rest)
        except (TimeoutError, EOFError, OSError, wire.WireError) as error:
            return str(error) or "the line broke"
        finally:
            carrier.close()
        return ""


def _inside(name: object) -> str:
    """A relative path that stays below where it is put; the far machine is not trusted with our disk."""
    parts = PurePosixPath(str(name)).parts
    if not parts or PurePosixPath(str(name)).is_absolute() or ".." in parts or "\0" in str(name):
        raise TransferError(
            f"The machine named a file {name!r}, which could lie anywhere. Nothing was fetched."
        )
    return str(name)
