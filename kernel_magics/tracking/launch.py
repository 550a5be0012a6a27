"""Ranks that torchrun started without a run of their parent's agree on one: its id, by a file they share.

torchrun gives its ranks ``TORCHELASTIC_RUN_ID``, ``MASTER_ADDR``, ``MASTER_PORT``, ``RANK`` and
``WORLD_SIZE`` (pytorch.org/docs/stable/elastic/run.html). The first rank that begins a run writes which one
into ``<data>/launches``; rank 0 is the run's ``main`` writer, the others are members. Without a rendezvous
id of the user's, all launches of a host look alike (id ``none``, port 29500): then the ranks' common
parent, the torchrun process, tells one from the next.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional
from zlib import crc32

from kernel_magics import paths
from kernel_magics.model import is_run_id, new_run_id, random_word
from kernel_magics.tracking.processes import host_name, start_ticks

try:
    import fcntl
except ImportError:  # no torchrun there that would need it
    fcntl = None  # type: ignore[assignment]

_STARTING_S = 600.0
"""How long after the first rank others may come from other hosts, when only time tells launches apart."""
_KEPT_S = 30 * 86400.0

_begun: Dict[str, int] = {}  # runs that this process has begun in each launch: the n-th of one is that of all


class Launch(NamedTuple):
    """The run that the ranks of a launch share.

    Attributes:
        created: seconds since the epoch, when the first rank began it.
    """

    run_id: str
    created: float
    rank: int


def joined_launch(data: Path, environ: Optional[Mapping[str, str]] = None) -> Optional[Launch]:
    """The run of this rank's launch; ``None`` in a process that torchrun did not start.

    Each call is the next run: a script that begins several has several.

    Raises:
        OSError: the data folder cannot be written.
    """
    environ = os.environ if environ is None else environ
    rank = environ.get("RANK", "")
    rendezvous = environ.get("TORCHELASTIC_RUN_ID")
    if rendezvous is None or not rank.isdigit() or "MASTER_PORT" not in environ:
        return None
    key = "|".join((rendezvous, environ.get("MASTER_ADDR", ""), environ["MASTER_PORT"]))
    number = _begun.get(key, 0)
    found = _agree(data, f"{key}|{number}", named=rendezvous not in ("", "none"))
    _begun[key] = number + 1
    return Launch(found["run"], found["created"], int(rank))


def _agree(data: Path, key: str, *, named: bool) -> Dict[str, Any]:
    """What the first rank wrote, which may be this one."""
    folder = data / "launches"
    paths.make_private_folder(folder)
    path = folder / f"{crc32(key.encode('utf-8', 'surrogateescape')):08x}.json"
    with _alone(path.with_suffix(".lock")):
        found = _read(path)
        if found is not None and found["key"] == key and _is_ours(found, named):
            return found
        now = time.time()
        _forget_old(folder, now)
        parent = os.getppid()
        mine = {
            "key": key,
            "run": new_run_id(now),
            "created": now,
            "host": host_name(),
            "pid": parent,
            "start_ticks": start_ticks(parent),
        }
        incoming = path.with_suffix(f".{random_word(6)}")
        incoming.write_text(json.dumps(mine), encoding="utf-8")
        incoming.replace(path)
        return mine


def _is_ours(found: Mapping[str, Any], named: bool) -> bool:
    """Whether the file is of this launch, and not of one before it with the same id and port."""
    if found["host"] == host_name():
        parent = os.getppid()
        return (found["pid"], found["start_ticks"]) == (parent, start_ticks(parent))
    return named or abs(time.time() - found["created"]) < _STARTING_S


def _read(path: Path) -> Optional[Dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        created, run_id = float(found["created"]), str(found["run"])
        about = {key: found[key] for key in ("key", "host", "pid", "start_ticks")}
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there yet, or damaged: written anew
    return {**about, "created": created, "run": run_id} if is_run_id(run_id) else None


def _forget_old(folder: Path, now: float) -> None:
    old: List[Path] = [path for path in folder.glob("*.json") if now - path.stat().st_mtime > _KEPT_S]
    for path in old:
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time; also between hosts, where the file system has locks."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if fcntl is not None:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
            except OSError:  # no locks here: the file is replaced whole, and the first readers may differ
                pass
        yield
    finally:
        os.close(descriptor)
