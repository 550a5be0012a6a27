"""Files kept with a run: each distinct content once, under its digest."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.tracking import blobs
from kernel_magics.tracking.labels import inside
from kernel_magics.tracking.scribe import Scribe


def keep(scribe: Scribe, path: Union[str, Path], name: Optional[str], type: str) -> None:
    """See :meth:`kernel_magics.tracking.recorder.Run.log_artifact`. Never raises for what it is given."""
    try:
        if scribe.closed:
            raise OSError(f"the run {scribe.head.name} is finished")
        source = Path(path).expanduser()
        if source.exists() and not (source.is_file() or source.is_dir()):
            raise OSError("it is a device or a pipe, which may never end")
        called = inside(str(name or source.name)) or "artifact"
        for file in blobs.files_in(source) if source.is_dir() else [source]:
            below = f"/{file.relative_to(source).as_posix()}" if source.is_dir() else ""
            digest, size = blobs.put_file(paths.blobs_dir(scribe.data), file)
            entry = {
                "name": called + below,
                "type": type,
                "digest": digest,
                "size": size,
                "path": str(file),
            }
            scribe.write(fmt.Kind.ARTIFACT, entry)
    except (OSError, ValueError, TypeError) as error:
        why = getattr(error, "strerror", None) or error
        scribe.tell_once(
            f"artifact {path!r}",
            f"log_artifact({str(path)[:200]!r}): {why}; it is not kept with the run.",
            "artifact-refused",
        )
