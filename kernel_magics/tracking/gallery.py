"""Where things to look at are kept: short ones in the journal, long ones as blobs, equal ones once."""

from __future__ import annotations

from typing import Any, Dict, List

from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.tracking import blobs
from kernel_magics.tracking.masking import Mask, clean
from kernel_magics.tracking.media import LIMIT, Encoded, Media, Unusable
from kernel_magics.tracking.picture import Image, foreign
from kernel_magics.tracking.scribe import Scribe

INLINE = 64 * 1024
"""Bytes of text or JSON that the journal holds itself."""
MOST_ITEMS = 256


def as_media(value: Any) -> List[Media]:
    """What there is to look at: an item, a known library's figure or picture, a list of such; or nothing."""
    if isinstance(value, Media):
        return [value]
    if foreign(value):
        return [Image(value)]
    if type(value) in (list, tuple) and 0 < len(value) <= MOST_ITEMS:
        items = [as_media(item)[:1] if not isinstance(item, (list, tuple)) else [] for item in value]
        if all(items):
            return [item for (item,) in items]
    return []


class Gallery:
    """Writes ``media`` frames.

    Args:
        scribe: of the run.
    """

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe

    def hang(self, name: str, items: List[Media], step: int, when: float) -> None:
        """Keep what was logged under ``name`` at ``step``; what cannot be kept is said once per name."""
        for index, item in enumerate(items):
            entry: Dict[str, Any] = {"metric": name, "step": step, "time": when}
            if len(items) > 1:
                entry.update(index=index, of=len(items))
            try:
                self._scribe.write(fmt.Kind.MEDIA, {**entry, **self._stored(item.encode())})
            except Unusable as error:
                self._refuse(name, str(error), "value-refused")
            except OSError as error:
                self._refuse(name, f"an item that cannot be kept ({error.strerror or error})", "media-lost")
            except Exception as error:  # noqa: BLE001 - a __str__ or an iterator of anybody's
                self._refuse(name, f"an item that raises {type(error).__name__} ({error})", "value-refused")

    def _stored(self, encoded: Encoded) -> Dict[str, Any]:
        """The frame's keys that say what it is; its bytes are stored when this returns."""
        content, data = encoded.content, encoded.data
        if data is None:
            if isinstance(content, str):
                content = Mask()(content)
                data = content.encode("utf-8", "replace")
            else:
                content = clean(content, self._scribe.tell_long_int)
                data = fmt.pack_json(content)
        if len(data) > LIMIT:
            raise Unusable(f"an item of {len(data):,} bytes (at most {LIMIT:,}; log_artifact keeps any file)")
        found = {**encoded.about, "type": encoded.type, "mime": encoded.mime, "size": len(data)}
        if encoded.data is None and len(data) <= INLINE:
            found["content"] = content
        else:
            found["digest"] = blobs.put_bytes(paths.blobs_dir(self._scribe.data), data)
        return found

    def _refuse(self, name: str, what: str, event: str) -> None:
        self._scribe.tell_once(
            f"media {name}",
            f"log(): {name!r} is {what}, so it is not recorded; the other values are. (Said once per name.)",
            event,
        )
