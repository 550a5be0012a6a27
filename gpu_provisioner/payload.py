"""The payload: the part of us that travels to the GPU machine, as one zip named by its digest.

Deterministic (sorted names, one fixed date), so that the same code has the same digest wherever it is built
and crosses a slow line only once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping

from gpu_provisioner.agent.places import cache_root, private_folder, write_private

_TRAVELLING = {
    "gpu_provisioner": ("__init__.py", "errors.py", "model.py", "outflow.py", "wire.py", "agent/*.py"),
    "kernel_magics": (
        "__init__.py",
        "errors.py",
        "model.py",
        "paths.py",
        "journal/*.py",
        "tracking/**/*.py",
        "magics/__init__.py",
        "magics/track.py",
    ),
}
"""Which files of which package run on the GPU machine; see ARCHITECTURE.md. Packages are found by name, not
imported: this one knows nothing of the others."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_KEPT_BUILDS = 3


@dataclass(frozen=True)
class Payload:
    """A built payload: the SHA-256 of its bytes, in hex, and the file that holds them."""

    digest: str
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def read(self) -> bytes:
        return self.path.read_bytes()


def build_payload(environ: Mapping[str, str]) -> Payload:
    """The payload of the code as it is now; built when no source file has changed since the last time it is
    reused.
    """
    files = travelling_files()
    folder = private_folder(cache_root(environ) / "payload")
    stamp = _stamp(files)
    for path in folder.glob(f"built-{stamp}-*.zip"):
        return Payload(path.stem.rpartition("-")[2], path)
    content = pack(files)
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"built-{stamp}-{digest}.zip"
    write_private(path, content)
    for old in sorted(folder.glob("built-*.zip"), key=lambda each: each.stat().st_mtime)[:-_KEPT_BUILDS]:
        old.unlink(missing_ok=True)
    return Payload(digest, path)


def travelling_files() -> Dict[str, Path]:
    """Name in the zip → source file."""
    files: Dict[str, Path] = {}
    for package, patterns in _TRAVELLING.items():
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(next(iter(spec.submodule_search_locations)))
        for pattern in patterns:
            files.update((f"{package}/{path.relative_to(root)}", path) for path in root.glob(pattern))
    pynvml = importlib.util.find_spec("pynvml")
    if pynvml is not None and pynvml.origin:
        # Apart: it must not hide a pynvml that is installed over there.
        files["vendor/pynvml.py"] = Path(pynvml.origin)
    return files


def pack(files: Mapping[str, Path]) -> bytes:
    """A zip of ``files`` that depends on nothing but their names and bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o600 << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes())
    return out.getvalue()


def _stamp(files: Mapping[str, Path]) -> str:
    facts: List[str] = []
    for name, path in sorted(files.items()):
        status = path.stat()
        facts.append(f"{name} {path} {status.st_size} {status.st_mtime_ns}")
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
