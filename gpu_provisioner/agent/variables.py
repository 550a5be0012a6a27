"""What the notebook asks the kernel over here about its variables, for ``%gpu_push`` and ``%gpu_pull``.

Each question is an expression that the kernel evaluates between two cells
(:func:`answer`); what is large goes by way of a file in the agent's folder, which
:mod:`gpu_provisioner.agent.streams` brings over.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Mapping

from gpu_provisioner.agent.parcel import describe, has_cloudpickle, pack, unpack
from gpu_provisioner.agent.parcel_data import CannotTravel
from gpu_provisioner.agent.places import private_folder
from gpu_provisioner.agent.streams import EXCHANGE, exchange_file

_PIECE = 1 << 20


def answer(question: str) -> str:
    """``question``: a JSON object whose ``verb`` is one of :data:`VERBS`. The answer is JSON as well.

    What cannot be done is answered as ``{"error": clause}``; an exception here would be one of ours.
    """
    asked: Dict[str, Any] = json.loads(question)
    from IPython import get_ipython

    shell = get_ipython()
    folder = Path(os.environ["TRACKSIDE_DIR"]).parent
    try:
        return json.dumps(VERBS[asked.pop("verb")](shell.user_ns, folder, **asked))
    except CannotTravel as error:
        return json.dumps({"error": str(error)})
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return json.dumps({"error": f"{error.strerror or error}{where}"})


def meet(_variables: Mapping[str, Any], folder: Path) -> Dict[str, Any]:
    """``{python: [major, minor], cloudpickle: bool}``. What a former transfer left is thrown away: a kernel
    has one notebook, and that one asks now.
    """
    for left in (folder / EXCHANGE).glob("*"):
        left.unlink()
    return {"python": list(sys.version_info[:2]), "cloudpickle": has_cloudpickle()}


def wrap(variables: Mapping[str, Any], folder: Path, name: str, mode: str) -> Dict[str, Any]:
    """Make a parcel of a variable: ``{parcel, size, digest, kind, moved, what}``."""
    if name not in variables:
        raise CannotTravel("there is no variable of that name")
    path = exchange_file(folder, secrets.token_hex(16))
    private_folder(path.parent)
    return {"parcel": path.name, **write_parcel(variables[name], path, mode)}


def bind(variables: Dict[str, Any], folder: Path, name: str, mode: str, parcel: str) -> Dict[str, Any]:
    """Make a variable of a parcel: ``{what}``."""
    path = exchange_file(folder, parcel)
    try:
        variables[name] = read_parcel(path, mode)
    finally:
        path.unlink()
    return {"what": describe(variables[name])}


def discard(_variables: Mapping[str, Any], folder: Path, parcel: str) -> Dict[str, Any]:
    """Throw a parcel away that has arrived."""
    path = exchange_file(folder, parcel)
    if path.exists():
        path.unlink()
    return {}


def locate(_variables: Mapping[str, Any], _folder: Path, path: str) -> Dict[str, Any]:
    """Where ``path`` is for the cells of this kernel: ``{path}``, absolute."""
    return {"path": os.path.abspath(os.path.expanduser(path))}  # noqa: PTH100, PTH111 - ".." as the shell means it


VERBS: Dict[str, Callable[..., Dict[str, Any]]] = {
    "meet": meet,
    "wrap": wrap,
    "bind": bind,
    "discard": discard,
    "locate": locate,
}


def write_parcel(value: Any, path: Path, mode: str) -> Dict[str, Any]:
    """``value`` as a file, 0600: ``{size, digest, kind, moved, what}``. Nothing stays when it cannot be done.

    Raises:
        CannotTravel: not in this mode.
        OSError: the disk does not take it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w+b") as file:
            facts = pack(value, file, mode)
            file.flush()
            size, digest = file.tell(), _digest(file)
    except BaseException:
        path.unlink()
        raise
    return {"size": size, "digest": digest, **facts, "what": describe(value)}


def read_parcel(path: Path, mode: str) -> Any:
    """The value in a file.

    Raises:
        CannotTravel: it cannot be made here; the clause says why.
    """
    try:
        with path.open("rb") as file:
            return unpack(file, mode)
    except (CannotTravel, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a class's own __setstate__ may raise anything; it is told
        raise CannotTravel(f"it cannot be made there: {type(error).__name__}: {error}") from None


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    for piece in iter(lambda: file.read(_PIECE), b""):
        digest.update(piece)
    return digest.hexdigest()
