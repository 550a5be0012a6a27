"""``%gpu_get``: files and folders of the kernel's machine, brought here."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from gpu_provisioner.errors import TransferError
from gpu_provisioner.model import Lease
from gpu_provisioner.transfer import Listing
from gpu_provisioner.transfer_carrier import FarFile, Wanted, size_of
from gpu_provisioner.typed import word
from kernel_magics.magics.transfer import Road
from kernel_magics.magics.transfer_display import TransferLine, size_text
from kernel_magics.model import counted

_LONGEST_NAME = 200
"""Bytes of a name that a part can have in its own; most file systems end at 255."""
_NAMED = 5
"""So many names in a message; of more the number is said."""


@dataclass(frozen=True)
class _Plan:
    """What is to be done: ``get`` (file, its place here), what is ``here`` already, what is in the way."""

    target: Path
    get: Tuple[Tuple[FarFile, Path], ...]
    here: Tuple[FarFile, ...]
    in_the_way: Tuple[Path, ...]


def get(road: Road, lease: Lease, path: str, dest: Optional[str], overwrite: bool) -> None:
    """Bring ``path`` (as a cell over there would mean it) to ``dest`` here, a file or a folder.

    A file with the same size and time of last change is taken to be here already, so that the same line
    typed again goes on where it was interrupted. Nothing is overwritten unasked.

    Raises:
        TransferError: nothing of the name there, something in the way here, no room, or it was refused.
    """
    far = road.ask("locate", path=path)["path"]
    listing = road.transfers.listing(far)
    plan = _plan(listing, Path(far).name, dest)
    to = f" {word(dest)}" if dest else ""
    if plan.in_the_way and not overwrite:
        raise TransferError(
            f"{_named([str(each) for each in plan.in_the_way])} {_be(plan.in_the_way)} here already, "
            "and not the same; nothing was fetched.",
            f"%gpu_get {word(path)} OTHER_PLACE; or %gpu_get {word(path)}{to} --overwrite",
        )
    wanted = [Wanted(file, _part(place, lease, listing.root, file)) for file, place in plan.get]
    _check_room(plan, sum(min(size_of(one.part), one.file.size) for one in wanted))
    if listing.folder:
        _make_folder(plan.target)
    line = TransferLine(road.publish, f"{path} from {road.machine}")
    changed: List[str] = []
    places = {file.path: place for file, place in plan.get}

    def keep(one: Wanted, was_changed: bool) -> None:
        os.utime(one.part, ns=(one.file.mtime_ns, one.file.mtime_ns))
        one.part.chmod(0o755 if one.file.executable else 0o644)
        one.part.replace(places[one.file.path])
        if was_changed:
            changed.append(one.file.path)

    with line:
        try:
            road.transfers.fetch(listing.root, wanted, keep, line.advance)
        except KeyboardInterrupt:
            raise TransferError(
                "Interrupted. What is whole is in its place, and of the rest nothing is lost: the same line "
                "goes on from there.",
                f"%gpu_get {word(path)}{to}",
            ) from None
        line.done(_report(listing, plan, changed, line))


def _plan(listing: Listing, name: str, dest: Optional[str]) -> _Plan:
    target = Path(dest).expanduser() if dest else Path(name)
    if dest and (target.is_dir() or dest.endswith("/")):
        target = target / name
    if listing.folder:
        pairs = [(file, target / file.path) for file in listing.files]
    else:
        pairs = [(file, target) for file in listing.files]
    here = [file for file, place in pairs if _is_here(file, place)]
    missing = [(file, place) for file, place in pairs if file not in here]
    blocked = [place for _, place in missing if os.path.lexists(place)]
    return _Plan(target, tuple(missing), tuple(here), tuple(blocked))


def _is_here(file: FarFile, place: Path) -> bool:
    try:
        facts = place.stat()
    except OSError:
        return False
    return place.is_file() and (facts.st_size, facts.st_mtime_ns) == (file.size, file.mtime_ns)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TransferError(f"{path} cannot be made: {error.strerror}; nothing was fetched.") from None


def _check_room(plan: _Plan, begun: int) -> None:
    """``begun``: bytes that are here already, of an interrupted one."""
    for _, place in plan.get:
        if place.is_dir():
            raise TransferError(f"{place} is a folder here, but a file there; nothing was fetched.")
    folder = plan.target.absolute()
    while not folder.is_dir():
        folder = folder.parent
    needed = sum(file.size for file, _ in plan.get) - begun
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise TransferError(
            f"{size_text(needed)} are to come, but {folder} has room for {size_text(free)}; "
            "nothing was fetched.",
            "another place as second word",
        )


def _part(place: Path, lease: Lease, root: str, file: FarFile) -> Path:
    """Where a file is collected: another name for another state of the file, so that only the same goes on.

    Parts of other states are of no use to anybody and are removed.
    """
    state = f"{lease.machine}\0{root}\0{file.path}\0{file.size}\0{file.mtime_ns}"
    digest = hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    name = place.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = name[:40] + hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    part = place.with_name(f".{name}.{digest}.trackside-part")
    if place.parent.is_dir():
        for each in place.parent.iterdir():
            middle = each.name[len(name) + 2 : -len(".trackside-part")]
            is_part = each.name == f".{name}.{middle}.trackside-part" and len(middle) == len(digest)
            if is_part and each != part:
                each.unlink()
    return part


def _report(listing: Listing, plan: _Plan, changed: Sequence[str], line: TransferLine) -> str:
    if not plan.get and listing.files:
        return f"{plan.target} is here already, unchanged since; nothing was fetched."
    size = size_text(sum(file.size for file, _ in plan.get))
    count = f"{counted(len(plan.get), 'file')}, " if listing.folder else ""
    told = [f"{plan.target} is here ({count}{size} in {line.elapsed_s:.1f} s; SHA-256 compared)."]
    if plan.here:
        told.append(f"{len(plan.here):,} {'was' if len(plan.here) == 1 else 'were'} here already.")
    if changed:
        told.append(f"{_named(changed)} changed while it was read: fetch it again when nothing writes to it.")
    if listing.left:
        told.append(f"Left there (links, no files, or not readable): {_named(listing.left)}.")
    return " ".join(told)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED:,} more"


def _be(names: Sequence[object]) -> str:
    return "is" if len(names) == 1 else "are"
